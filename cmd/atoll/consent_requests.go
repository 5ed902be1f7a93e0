package main

import (
	"atoll/cmd/internal/cli"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// requestWords are the words for the states of a request for consent.
var requestWords = map[string]cli.Text{
	api.RequestWaits: {Chinese: "待签署", English: "waits to be signed"},
	api.RequestLate:  {Chinese: "逾期未收到授权书", English: "too late: no consent came"},
	api.RequestBack:  {Chinese: "已收到授权书", English: "a consent came back"},
}

func consentRequestsCommand() *cobra.Command {
	var dir string
	var all bool
	cmd := &cobra.Command{
		Use:   "requests",
		Short: cli.Both("列出尚未收到授权书的请求", "List requests for which no consent has come back"),
		Long: cli.Both(`列出本银行的授权请求，新的在前：请求何企业、何用途、何日出具，何时之前可以签署，
企业凭请求编号可取用至何时。--all 也列出已收到授权书的。“可签署至”是签署程序直接接受的
期限，取用期限届满后仍可把文件交给企业。`, `Lists this bank's requests for consent, the newest first: which enterprise, for what
purpose, when it was asked, until when it can be signed, and until when the enterprise
can fetch it by its code. After that the file can still be handed over. --all lists those
as well for which a consent has come back.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			list := []api.RequestOut{}
			in := api.RequestsIn{All: all}
			for more := true; more; more = in.Cursor != "" {
				var page api.RequestsOut
				if err := local(cmd.Context(), dir, api.RequestList, in, &page); err != nil {
					return err
				}
				list, in.Cursor = append(list, page.Requests...), page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.requests/v1", list)
			}
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			listRequests(t, w, list, all)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	cmd.Flags().BoolVar(&all, "all", false, cli.Both("也列出已收到授权书的", "also those for which a consent has come back"))
	return cli.Needs(cmd, "dir")
}

// listRequests prints a bank's requests for consent, with the consents that came back if
// all are listed.
func listRequests(t *cli.Printer, w titles, list []api.RequestOut, all bool) {
	if len(list) == 0 {
		t.Say("没有尚未收到授权书的请求", "there is no request that a consent has not come back for")
		return
	}
	columns := []cli.Text{{Chinese: "企业", English: "enterprise"}, {Chinese: "名称", English: "name"}, {Chinese: "用途", English: "purpose"}, {Chinese: "产品", English: "product"}, {Chinese: "出具", English: "asked"},
		{Chinese: "可签署至", English: "can be signed until"}, {Chinese: "凭编号可取至", English: "fetched by its code until"}, {Chinese: "状态", English: "state"}}
	if all {
		columns = append(columns, cli.Text{Chinese: "授权", English: "consent"})
	}
	table := t.Columns(columns...)
	for _, r := range list {
		row := []string{r.Subject, r.Name, w.in(t, r.Purpose), r.Product, r.Asked, r.SignUntil, dash(r.FetchUntil), requestWords[r.State].In(t.Lang)}
		if all {
			row = append(row, dash(r.Consent))
		}
		table.Row(row...)
	}
	t.Table(table)
}
