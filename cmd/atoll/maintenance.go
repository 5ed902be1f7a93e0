package main

import (
	"fmt"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func maintenanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintenance",
		Short: cli.Both("机构维护期间暂停应答", "Stop answering while an agency is worked on"),
		Long: cli.Both(`维护期间本机构不应答新的查询：银行立即得知原因和截止时间，所用次数在查询期限过后
自动归还。已放行的内容仍可取走。状态在重启后保留；node.yaml 的 maintenance 可预先
声明维护时段。`, `While maintenance is on, the agency answers no new query: a bank hears at once why and
until when, and the use that it spent goes back by rule after the query's deadline.
What was released before can still be fetched. The state survives restarts; windows
are declared in advance with maintenance in node.yaml.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(maintenanceOnCommand(), maintenanceOffCommand(), maintenanceShowCommand())
	return cmd
}

func maintenanceOnCommand() *cobra.Command {
	var dir, until string
	in := api.MaintenanceIn{On: true}
	cmd := &cobra.Command{
		Use:   "on",
		Short: cli.Both("开始维护", "Begin maintenance"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if in.Until, err = moment(until, zoneOf(cmd)); err != nil {
				return err
			}
			if err := node.CheckWindow(node.Window{From: time.Now(), Until: in.Until, Reason: in.Reason}); err != nil {
				return cli.Usage("维护时段有误：%s", "these are no times of maintenance: %s", err)
			}
			return setMaintenance(cmd, dir, in)
		},
	}
	cmd.Flags().StringVar(&until, "until", "", cli.Both(`何时结束，网络时间，如 "2026-12-01 06:00"`, `when it ends, in the network's time, such as "2026-12-01 06:00"`))
	cmd.Flags().StringVar(&in.Reason, "reason", "", cli.Both("告知银行的原因", "the reason that banks are told"))
	cmd.Flags().StringVar(&in.By, "operator", "", cli.Both("经办人姓名", "name of the person who decides"))
	memberFlags(cmd, &dir)
	return cli.Needs(cmd, "until", "reason", "operator")
}

func maintenanceOffCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "off",
		Short: cli.Both("结束维护，包括 node.yaml 所声明、已开始的时段", "End maintenance, also a window of node.yaml that has begun"),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return setMaintenance(cmd, dir, api.MaintenanceIn{}) },
	}
	return memberFlags(cmd, &dir)
}

func maintenanceShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show",
		Short: cli.Both("显示维护是否进行，及 node.yaml 所声明的时段", "Show whether maintenance is on, and the windows that node.yaml declares"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var m node.Maintenance
			if err := local(cmd.Context(), dir, api.Maintenance, api.Nothing{}, &m); err != nil {
				return err
			}
			return showMaintenance(cmd, &m)
		},
	}
	return memberFlags(cmd, &dir)
}

func setMaintenance(cmd *cobra.Command, dir string, in api.MaintenanceIn) error {
	var m node.Maintenance
	if err := local(cmd.Context(), dir, api.MaintenanceSet, in, &m); err != nil {
		return err
	}
	return showMaintenance(cmd, &m)
}

func showMaintenance(cmd *cobra.Command, m *node.Maintenance) error {
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.maintenance/v1", m)
	}
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	printMaintenance(t, m)
	return t.Err()
}

func printMaintenance(t *cli.Printer, m *node.Maintenance) {
	if m.On == nil {
		t.Say("没有进行维护", "maintenance is off")
	} else {
		t.Say("%s", "%s", maintenanceLine(m.On, t.In))
	}
	for _, w := range m.Declared {
		t.Say("node.yaml 声明：%s 至 %s：%s", "declared in node.yaml: %s to %s: %s", w.From.UTC().Format(time.RFC3339), w.Until.UTC().Format(time.RFC3339), w.Reason)
	}
}

// maintenanceLine describes maintenance that is on.
func maintenanceLine(w *node.Window, in func(chinese, english string) string) string {
	line := fmt.Sprintf(in("进行中，至 %s，不应答查询：%s", "on until %s, no query is answered: %s"), w.Until.UTC().Format(time.RFC3339), w.Reason)
	if w.By != "" {
		line += fmt.Sprintf(in("（%s）", " (%s)"), w.By)
	}
	return line
}

// moment parses a time as people write it, in a zone.
func moment(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, cli.Usage(`时间写作 "2026-12-01 06:00"（网络时间），不是 %.40q`, `a time is written "2026-12-01 06:00" (in the network's time), not %.40q`, text)
}

// maintenanceConfig is a window of maintenance in node.yaml.
type maintenanceConfig struct {
	From   string `yaml:"from"`
	Until  string `yaml:"until"`
	Reason string `yaml:"reason"`
}

// windows reads the windows of maintenance that node.yaml declares.
func (h *home) windows() (list []node.Window, err error) {
	offset, err := h.offset()
	if err != nil {
		return nil, err
	}
	for _, c := range h.config.Maintenance {
		w := node.Window{Reason: c.Reason}
		if w.From, err = moment(c.From, consent.Zone(offset)); err == nil {
			if w.Until, err = moment(c.Until, consent.Zone(offset)); err == nil {
				err = node.CheckWindow(w)
			}
		}
		if err != nil {
			return nil, cli.Errorf(errConfig, "%s 所声明的维护时段（maintenance）有误：%s", "%s: maintenance: %s", fileConfig, err)
		}
		list = append(list, w)
	}
	return list, nil
}
