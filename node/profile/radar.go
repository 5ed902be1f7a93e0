package profile

import (
	"math"
	"strconv"
	"strings"
)

// radar is a chart with one axis for each dimension, clockwise from the top.
// The area between worst and best is what may be true. It is drawn with
// attributes alone, so that a page needs no script and no inline style.
type radar struct {
	Rings  []string // polygons at 25, 50, 75 and 100
	Axes   []point  // their end points
	Band   string   // path: the outline of best, with worst cut out
	Worst  string   // polygon
	Best   string   // polygon
	Labels []label
}

type point struct{ X, Y string }

type label struct {
	X, Y   string
	Anchor string // text-anchor
	Title  string
	Range  string
}

// The chart's centre and radius, in a box of 440 by 360.
const (
	centreX = 220
	centreY = 178
	radius  = 118
)

// minAxes is the least number of axes at which a polygon has an area.
const minAxes = 3

// Chart draws the dimensions, or nothing if there are too few.
func (s *speaker) Chart(p *Profile) *radar {
	n := len(p.Dimensions)
	if n < minAxes {
		return nil
	}
	r := &radar{}
	for _, ring := range []float64{25, 50, 75, 100} {
		r.Rings = append(r.Rings, polygon(n, func(int) float64 { return ring }))
	}
	worst := polygon(n, func(i int) float64 { return height(p.Dimensions[i].Worst) })
	best := polygon(n, func(i int) float64 { return height(p.Dimensions[i].Best) })
	r.Worst, r.Best, r.Band = worst, best, "M"+best+"Z M"+worst+"Z"
	for i, d := range p.Dimensions {
		x, y := spoke(i, n, 100)
		r.Axes = append(r.Axes, point{coordinate(x), coordinate(y)})
		r.Labels = append(r.Labels, s.label(d, i, n))
	}
	return r
}

func (s *speaker) label(d Dimension, i, n int) label {
	x, y := spoke(i, n, 116)
	l := label{X: coordinate(x), Y: coordinate(y), Anchor: "middle", Title: s.Of(d.Title), Range: s.Span(d.Worst, d.Best)}
	switch {
	case x > centreX+10:
		l.Anchor = "start"
	case x < centreX-10:
		l.Anchor = "end"
	case y < centreY:
		l.Y = coordinate(y - 6)
	default:
		l.Y = coordinate(y + 4)
	}
	return l
}

// height parses points of 100; only for drawing.
func height(points string) float64 {
	f, err := strconv.ParseFloat(points, 64)
	if err != nil {
		return 0
	}
	return math.Min(100, math.Max(0, f))
}

// spoke returns the position at a height on an axis.
func spoke(i, n int, height float64) (x, y float64) {
	sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
	return centreX + float64(radius*height/100*sin), centreY - float64(radius*height/100*cos)
}

func polygon(n int, height func(int) float64) string {
	points := make([]string, n)
	for i := range n {
		x, y := spoke(i, n, height(i))
		points[i] = coordinate(x) + "," + coordinate(y)
	}
	return strings.Join(points, " ")
}

func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
