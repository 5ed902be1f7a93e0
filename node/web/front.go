package web

import (
	"net/http"
	"strings"

	"atoll/node/problem"
)

// frontPage is what a browser is told at a member's address where no page for
// enterprises is. It needs neither scripts nor a style, which the policy of all answers
// forbids.
const frontPage = `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>atoll</title>
</head>
<body>
<main>
<h1>本地址属于数据共享网络的一个成员</h1>
<p>本成员不提供企业页面。企业请用登记机关交给您的 atoll.html（先核对其 SHA-256），或打开另一成员地址下的 /enterprise。本成员的运维人员可在 node.yaml 的 page 中设置（atoll page build）。</p>
<p>程序可在此读取<a href="log/checkpoint">访问日志的检查点</a>、<a href="policy">核对日志的信任策略</a>和<a href="founding/genesis">创世文件</a>；企业可经此送交和撤回授权。</p>
<hr>
<div lang="en">
<h1>This address is a member's of a network that shares data</h1>
<p>This member does not serve the enterprise's page. Enterprises use the atoll.html that the registrar gave them, once its SHA-256 is compared, or open /enterprise at the address of another member. The member's operator sets page in node.yaml (atoll page build).</p>
<p>Programs read here <a href="log/checkpoint">the checkpoint of the access log</a>, <a href="policy">the policy by which the log is verified</a> and <a href="founding/genesis">the genesis</a>; enterprises send consents here and take them back.</p>
</div>
</main>
</body>
</html>
`

// Front answers at a member's bare address, which papers list: GET /. A browser is sent
// to the enterprise's page if the member serves it. Otherwise it is told in both
// languages what this address is.
func Front(served bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served {
			tellFront(w, r, http.StatusOK)
			return
		}
		secure(w.Header())
		w.Header().Set("Cache-Control", "no-cache") // the operator may take the page away
		w.Header().Set("Location", PathPage)        // relative: a proxy may have put the address under a path
		w.WriteHeader(http.StatusFound)
	})
}

// noPage answers where a member that serves no page for enterprises is asked for it.
func noPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") { // a browser's
		tellFront(w, r, http.StatusNotFound)
		return
	}
	refuse(w, http.StatusNotFound, &problem.Error{
		Code: problem.NotFound, Message: "this member does not serve the enterprise's page",
		Hint: "get atoll.html from the registrar or another member; the member's operator sets page in node.yaml (atoll page build)",
	})
}

func tellFront(w http.ResponseWriter, r *http.Request, status int) {
	body := []byte(frontPage)
	if r.Method == http.MethodHead {
		body = nil
	}
	answer(w, status, "text/html; charset=utf-8", body)
}
