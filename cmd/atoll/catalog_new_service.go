package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/catalog"
	"atoll/node/source"
)

// service checks what is said about a service over HTTP, and declares of its
// answers what Probe replaces.
func (n *drafting) service() error {
	switch {
	case n.subjects == "":
		return cli.Usage("HTTP 服务没有可通读的表：请用 --subjects 给出一个文件，列出服务有记录的若干企业，每行一个（uscc:…）", "a service over HTTP has no table to read through: name by --subjects a file with some enterprises that it has, one in each line (uscc:…)")
	case n.table == "":
		return cli.Usage("请用 --table 给出此服务的表在目录中的名称；网址中的 {table} 也取此名", "give the name that the table of this service is to have by --table; {table} in the URL is that name too")
	}
	if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(n.from)); err == nil && u.User != nil {
		return cli.Usage("账号用 --user、口令用 --password-file 给出，不写在网址中；已写出的口令请更换", "an account is given by --user and a password by --password-file, and not in the URL; change a password that was there")
	}
	n.config.Kind, n.config.Request.URL = "http", n.from
	n.config.Answer.All = !strings.Contains(n.from+n.config.Request.Body, "{page}")
	if !n.config.Answer.All {
		n.config.Answer.Total = "/total"
	}
	return n.protected()
}

// answered writes the declaration of a service for node.yaml.
func (n *drafting) answered() string {
	request := "url: " + strconv.Quote(n.config.Request.URL)
	if n.config.Request.Body != "" {
		request += ", body: " + strconv.Quote(n.config.Request.Body)
	}
	a := n.config.Answer
	answer := "rows: " + strconv.Quote(a.Rows)
	for _, key := range [][2]string{{"key", a.Key}, {"total", a.Total}, {"as_of", a.AsOf}, {"next", a.Next}} {
		if key[1] != "" {
			answer += ", " + key[0] + ": " + strconv.Quote(key[1])
		}
	}
	if a.All {
		answer += ", all: true"
	}
	if a.OmitsEmpty {
		answer += ", omits_empty: true"
	}
	for i, sign := range []source.Sign{a.OK, a.None} {
		if sign.At != "" {
			answer += fmt.Sprintf(", %s: {at: %q, is: [%q]}", []string{"ok", "none"}[i], sign.At, sign.Is[0])
		}
	}
	var status []string
	for _, code := range slices.Sorted(maps.Keys(a.Status)) {
		status = append(status, fmt.Sprintf("%d: %s", code, a.Status[code]))
	}
	if len(status) > 0 {
		answer += ", status: {" + strings.Join(status, ", ") + "}"
	}
	return "\n      request: {" + request + "}\n      answer: {" + answer + "}"
}

// probe asks a service.
func (n *drafting) probe(ctx context.Context, s *source.Source) (t catalog.Table, err error) {
	who, err := subjectsIn(n.subjects)
	if err != nil {
		return t, err
	}
	if len(who) > source.MaxProbed {
		return t, cli.Usage("%s 中有超过 %d 个企业", "%s has more than %d enterprises", n.subjects, source.MaxProbed)
	}
	got, err := s.Probe(ctx, n.table, who)
	n.config.Answer, n.decide = got.Answer, got.Decide
	return catalog.Table{Agency: n.agency, Source: n.config.Name, Name: n.table, Rows: got.Rows, Columns: got.Columns}, err
}

// unreadable adds to an error what helps.
func (n *drafting) unreadable(err error) error {
	var e *source.Error
	if n.config.Kind == "http" && errors.As(err, &e) && slices.Contains([]source.Code{source.NotReadable, source.BadAnswer, source.OtherSubject, source.NoLoad, source.Changed, source.LoadDiffers}, e.Code) {
		e = e.Bare()
		return &said{error: e, chinese: e.Chinese(), hint: "核对 --from 中的网址、--table 和 --subjects 中的企业；仍不能起草的，请手写目录和 node.yaml 中的 answer（各键见 atoll config），再用 atoll source test --subjects 试问",
			english: "check the URL in --from, --table and the enterprises of --subjects; what cannot be drafted is written by hand, catalog and answer in node.yaml (atoll config prints the keys), and tried by atoll source test --subjects"}
	}
	return unreadable(err, "--from")
}
