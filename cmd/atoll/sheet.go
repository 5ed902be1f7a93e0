package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

// Sheets are what an enterprise is handed on paper: what came over the network is
// compared with it. The commands write them as text, and the console prints them.

// writeSheet writes a sheet as a file of text, in the language of the command.
func writeSheet(cmd *cobra.Command, path string, sheet func(*cli.Printer)) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	t := cli.On(cmd, &text, lang)
	sheet(t)
	if t.Err() != nil {
		return t.Err()
	}
	return durable.Create(path, text.Bytes(), 0o644)
}

// digitsOf prints digits to compare, sixteen a line.
func digitsOf(t *cli.Printer, chinese, english cli.Words, digits string) {
	const line = 16
	for ; len(digits) > line; digits = digits[line:] {
		t.Row(chinese, english, subject.Groups(digits[:line]))
		chinese, english = "", ""
	}
	t.Row(chinese, english, subject.Groups(digits))
}

// handedOut prints the day of a sheet, and where a person writes whom to telephone: no
// number is known to the node.
func handedOut(t *cli.Printer) {
	t.Row("制作时间", "made", time.Now().UTC().Format(time.RFC3339))
	t.Row("联系电话", "telephone", cli.Filled(strings.Repeat("_", 24)))
}

// sheet prints what a bank hands an enterprise about a request.
func (r *drawn) sheet(t *cli.Printer) {
	d := &r.request.Draft
	t.Section("授权请求", "Request for consent")
	t.Row("银行", "bank", r.bank.named(t.Lang, d.Bank))
	handedOut(t)
	t.Row("企业", "enterprise", t.Fill("%s（%s）", "%s (%s)", d.Name, string(d.Subject)))
	t.Row("产品", "product", d.Product)
	t.Row("期限", "days", t.Fill("%s 至 %s", "%s to %s", d.NotBefore, d.NotAfter))
	if r.code != "" {
		t.Row("请求编号", "code", r.code)
	}
	if short := r.short(); short != "" {
		t.Row("短链接", "link", short)
	}
	digitsOf(t, "告知书摘要", "digest", hex.EncodeToString(r.request.Digest))
	t.Say(`一、打开企业页面（登记机关发放的文件或其纸面所载网址），打开钥匙包。
二、在“授权”处输入请求编号，或选择银行交付的请求文件，按“阅读”。
三、将告知书下方的摘要与本纸逐组核对。有一组不同，或没有请求编号而文件来历不明的，不要签署，请致电银行。
四、读完告知书，同意的，输入“同意”并签署，存好新的钥匙包，再发送；也可保存授权书文件交给银行。
请求编号八日内有效。本纸不含口令，银行和登记机关都不会索要口令。`, `1. Open the enterprise's page (the file from the registrar, or at the address on its sheet), and your kit in it.
2. Under Consent type the code, or choose the file that the bank has handed over, and press Read.
3. Compare the digest below the notice with this sheet, each group. Where one differs do not sign: telephone the bank.
4. Read the notice. If you agree, type the word, sign, keep the new kit, and send; or save the consent and hand it to the bank.
The code is good for eight days. No bank and no registrar ever asks for your passphrase.`)
}

// pageSheet is what a registrar hands an enterprise at enrolment.
type pageSheet struct {
	Member      string   `json:"member"` // who hands it out, with its titles
	Chinese     string   `json:"title_zh"`
	English     string   `json:"title_en"`
	Network     string   `json:"network_name"`
	Fingerprint string   `json:"fingerprint"` // of genesis
	URLs        []string `json:"urls"`        // where this member serves the page
	SHA256      string   `json:"sha256"`
}

// print prints the sheet.
func (s *pageSheet) print(t *cli.Printer) {
	t.Section("企业页面", "The enterprise's page")
	t.Row("发放者", "handed out by", titles{s.Member: {Chinese: s.Chinese, English: s.English}}.named(t.Lang, s.Member))
	handedOut(t)
	t.Row("网络", "network", s.Network)
	t.Row("网络指纹", "fingerprint", s.Fingerprint)
	for _, url := range s.URLs {
		t.Row("网址", "address", url)
	}
	digitsOf(t, "SHA-256", "SHA-256", s.SHA256)
	t.Say(`一、使用登记机关发放的文件 atoll.html，或打开上述网址。文件的 SHA-256 须与本纸相同，查看的命令：
    Windows：certutil -hashfile atoll.html SHA256        macOS、Linux：shasum -a 256 atoll.html
二、新建密钥时用登记机关交给的 genesis.pem，或在上述网址的页面中按“自本成员取得”：其网络指纹须与本纸相同。
三、口令至少 10 个字符：用至少五个互不相干的两字词，不告诉任何人；钥匙包文件存两份，页面提示时重新保存。
四、签署前，将页面所示的告知书摘要与银行纸面逐组核对。
五、口令遗忘，或钥匙包丢失、被盗的，立即致电登记机关吊销主体凭证：凭其签署的授权随之失效；再新建密钥，重新登记。没有人能恢复口令。`, `1. Use the file atoll.html from the registrar, or open an address above. The file's SHA-256 has to be that of this sheet. It is shown by
    Windows: certutil -hashfile atoll.html SHA256        macOS, Linux: shasum -a 256 atoll.html
2. Make keys with the genesis.pem that the registrar hands you, or fetch it in the page at an address above: its fingerprint has to be that of this sheet.
3. A passphrase has 10 characters at least: take five words or more that do not belong together, and tell them to nobody. Keep two copies of the kit, and save it whenever the page says so.
4. Before you sign, compare the digest of the notice with the bank's sheet, each group.
5. If you forget the passphrase, or lose the kit, or it is stolen, telephone the registrar and have the credential revoked: what was signed under it ends. Then make new keys and enrol again. Nobody can recover a passphrase.`)
}
