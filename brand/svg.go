package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const svgSpace = "http://www.w3.org/2000/svg"

// svgElements are those of a picture that draws itself. Scripts, animations, foreign content and links are not among them.
var svgElements = []string{
	"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs", "title", "desc",
	"linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "symbol", "use", "style", "filter",
	"feBlend", "feColorMatrix", "feComposite", "feFlood", "feGaussianBlur", "feMerge", "feMergeNode", "feOffset",
}

// outward matches what makes a style load something, and what hides it.
var outward = regexp.MustCompile(`(?i)url\(\s*["']?\s*[^#"'\s]|@import|image-set|expression|javascript:|\\`)

// maxElements of a picture. A logo has a few dozen.
const maxElements = 2000

// checkSVG refuses a picture that could run something, load something, or grow while it is read, and returns its size in its own units.
// Pages show it as an image, where browsers run no script; this is for the address of the picture itself.
func checkSVG(content []byte) (width, height float64, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	decoder.Entity = map[string]string{}
	elements, text := 0, []byte(nil) // text since the last tag: a comment in it separates nothing
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, fmt.Errorf("is not well-formed XML: %w", err)
		}
		switch token := token.(type) {
		case xml.Directive, xml.ProcInst:
			if err := checkInstruction(token); err != nil {
				return 0, 0, err
			}
		case xml.CharData:
			if text = append(text, token...); outward.Match(text) {
				return 0, 0, errors.New("has a style that loads something")
			}
		case xml.EndElement:
			text = nil
		case xml.StartElement:
			text = nil
			if elements++; elements > maxElements {
				return 0, 0, fmt.Errorf("has more than %d elements", maxElements)
			}
			if err := checkElement(token); err != nil {
				return 0, 0, err
			}
			if elements == 1 {
				if width, height, err = sizeOf(token); err != nil {
					return 0, 0, err
				}
			}
		}
	}
	if elements == 0 {
		return 0, 0, errors.New("is empty")
	}
	return width, height, nil
}

// checkInstruction accepts <?xml?> alone.
func checkInstruction(token xml.Token) error {
	instruction, ok := token.(xml.ProcInst)
	switch {
	case !ok:
		return errors.New("has a document type, which is not accepted")
	case instruction.Target != "xml":
		return fmt.Errorf("has the instruction %q, which is not accepted", instruction.Target)
	}
	return nil
}

func checkElement(e xml.StartElement) error {
	if e.Name.Space != svgSpace || !slices.Contains(svgElements, e.Name.Local) {
		return fmt.Errorf("has the element <%s>, which is not accepted: export it as a plain SVG without scripts and pictures", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") {
			return fmt.Errorf("has the attribute %s, which is not accepted", a.Name.Local)
		}
		if (name == "href" || name == "src") && !strings.HasPrefix(a.Value, "#") {
			return fmt.Errorf("has an attribute %s that leads out of the picture", a.Name.Local)
		}
		if name != "xmlns" && a.Name.Space != "xmlns" && outward.MatchString(a.Value) {
			return fmt.Errorf("has an attribute %s that loads something", a.Name.Local)
		}
	}
	return nil
}

// sizeOf reads the size of a picture from its viewBox, else from its width and height.
func sizeOf(root xml.StartElement) (width, height float64, err error) {
	if root.Name.Local != "svg" {
		return 0, 0, errors.New("does not begin with <svg>")
	}
	attr := map[string]string{}
	for _, a := range root.Attr {
		attr[a.Name.Local] = a.Value
	}
	size := []string{strings.TrimSuffix(attr["width"], "px"), strings.TrimSuffix(attr["height"], "px")}
	if box := strings.FieldsFunc(attr["viewBox"], func(r rune) bool { return r == ' ' || r == ',' }); len(box) == 4 {
		size = box[2:]
	}
	width, widthErr := strconv.ParseFloat(size[0], 64)
	height, err = strconv.ParseFloat(size[1], 64)
	if err = errors.Join(widthErr, err); err != nil || !(width > 1e-3) || !(height > 1e-3) || width > 1e6 || height > 1e6 {
		return 0, 0, errors.New("has no size: <svg> needs viewBox, or width and height in pixels")
	}
	return width, height, nil
}
