package browser

import (
	"fmt"
	"slices"
	"strings"
)

// Outline returns what a page is made of, as far as it is the same on machines with
// other fonts: what somebody hears of it, in order, and, for windows of these
// widths, where its blocks begin from the left and how wide they are. How high they
// are follows from the fonts.
func (b *Tab) Outline(widths ...int) string {
	b.t.Helper()
	var out strings.Builder
	c := b.inChromium()
	c.must("Accessibility.enable", nil, nil)
	c.must("Emulation.setScrollbarsHidden", map[string]any{"hidden": true}, nil) // whether there are any follows from the fonts too
	var tree struct{ Nodes []heard }
	c.must("Accessibility.getFullAXTree", nil, &tree)
	nodes := map[string]*heard{}
	for i := range tree.Nodes {
		nodes[tree.Nodes[i].NodeID] = &tree.Nodes[i]
	}
	if len(tree.Nodes) > 0 {
		tree.Nodes[0].write(&out, nodes, 0, "")
	}
	for _, width := range widths {
		b.Width(width)
		fmt.Fprintf(&out, "\nin a window of %d: left, width\n%v", width, b.Eval(`[...document.querySelectorAll('body, header, nav, main, section, fieldset, form, h1, h2, pre, dl, .wide, footer')]
			.map((e) => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.height > 0)
			.map(([e, r]) => `+"`${e.localName}${e.id ? '#' + e.id : ''} ${Math.round(r.left)} ${Math.round(r.width)}\\n`"+`).join('')`))
	}
	return out.String()
}

// heard is a part of a page for who hears it.
type heard struct {
	NodeID   string
	Ignored  bool
	Role     struct{ Value string }
	Name     struct{ Value string }
	ChildIDs []string
}

// roles are those that are written; what is in others is written as if it were in
// what these are in.
var roles = []string{"banner", "navigation", "main", "contentinfo", "region", "heading", "group", "status", "alert", "link", "button", "textbox", "checkbox", "combobox", "table", "row", "columnheader", "rowheader", "cell", "list", "listitem"}

// write writes a part and those in it, but for text that is the name of what it is in.
func (h *heard) write(out *strings.Builder, nodes map[string]*heard, depth int, within string) {
	name := strings.TrimSpace(h.Name.Value)
	switch {
	case h.Ignored:
	case h.Role.Value == "StaticText":
		if name != "" && !strings.Contains(within, name) {
			fmt.Fprintf(out, "%s%s\n", strings.Repeat("  ", depth), name)
		}
		return
	case slices.Contains(roles, h.Role.Value):
		fmt.Fprintf(out, "%s\n", strings.TrimRight(strings.Repeat("  ", depth)+"["+h.Role.Value+"] "+name, " "))
		depth, within = depth+1, name
	}
	for _, id := range h.ChildIDs {
		if child := nodes[id]; child != nil {
			child.write(out, nodes, depth, within)
		}
	}
}
