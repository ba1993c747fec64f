package audit

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/disteval/disteval/emissions"
)

// InputError is a table that cannot be read: exit code 2.
type InputError struct {
	Line int // from 1; 0 for the whole file
	Err  error
}

// BadInput marks the error as one of an input file.
func (*InputError) BadInput() {}

func (e *InputError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

func (e *InputError) Unwrap() error { return e.Err }

// Printed is a number with the precision of its digits.
type Printed struct {
	Text  string
	Value float64
	Half  float64 // half a unit of the last digit
}

func (p Printed) lo() float64 { return max(0, p.Value-p.Half) }
func (p Printed) hi() float64 { return p.Value + p.Half }

// most and least bound what is read, so that no quotient is infinite.
const (
	most  = 1e15
	least = 1e-6
)

// parsePrinted reads a decimal number, not negative, such as 18215.61 or 1.84e-01.
func parsePrinted(text string) (Printed, error) {
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return Printed{}, fmt.Errorf("%.40q is not a decimal number", text)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		return Printed{}, fmt.Errorf("%.40q is not a decimal number", text)
	}
	if v > most {
		return Printed{}, fmt.Errorf("%.40q is beyond anything that can be (%g)", text, most)
	}
	if v < 0 || math.Signbit(v) {
		return Printed{}, fmt.Errorf("%s is negative", text)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	exp := 0
	if exponent != "" {
		if exp, err = strconv.Atoi(exponent); err != nil {
			return Printed{}, fmt.Errorf("%.40q is not a decimal number", text)
		}
	}
	_, decimals, _ := strings.Cut(mantissa, ".")
	return Printed{Text: text, Value: v, Half: 0.5 * math.Pow10(exp-len(decimals))}, nil
}

var known = []string{"name", "duration_s", "emissions_kg", "country", "energy_kwh", "cpu_tdp_w", "ram_gb"}

// bom is the byte order mark that spreadsheets begin a file with.
const bom = "\ufeff"

// Lookup finds a country's carbon factor.
type Lookup func(country string) (emissions.CarbonFactor, error)

// Parse reads a CSV table strictly: name, duration_s and emissions_kg, and
// optionally country, energy_kwh, cpu_tdp_w and ram_gb, whose fields may be
// empty; or the emissions.csv of CodeCarbon or of disteval, whose rows without
// figures are left out. Errors are *InputError.
func Parse(in io.Reader, lookup Lookup) ([]Row, error) {
	text := bufio.NewReader(in)
	if mark, err := text.Peek(len(bom)); err == nil && string(mark) == bom {
		_, _ = text.Discard(len(bom))
	}
	r := csv.NewReader(text)
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if err != nil {
		return nil, inputError(err, "there is no header; expected "+strings.Join(known, ","))
	}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
	}
	parse := parseRow
	if isCodeCarbon(header) {
		parse = codeCarbonRow
	} else if err := checkHeader(header); err != nil {
		return nil, &InputError{1, err}
	}
	var rows []Row
	empty := 0
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, inputError(err, "")
		}
		line, _ := r.FieldPos(0)
		row, err := parse(header, record, lookup)
		if errors.Is(err, errNothing) {
			empty++
			continue
		}
		if err != nil {
			return nil, &InputError{line, err}
		}
		row.Line = line
		if row.Parts != nil {
			row.Name = distinct(rows, row.Name, stampOf(header, record))
		}
		if i := slices.IndexFunc(rows, func(o Row) bool { return o.Name == row.Name }); i >= 0 {
			return nil, &InputError{line, fmt.Errorf("the name %q is on line %d already", row.Name, rows[i].Line)}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 && empty > 0 {
		return nil, &InputError{1, fmt.Errorf("none of its %d rows states emissions or energy: nothing was metered", empty)}
	}
	if len(rows) == 0 {
		return nil, &InputError{1, errors.New("the table has no rows below its header")}
	}
	return rows, nil
}

func stampOf(header, record []string) string {
	if i := slices.Index(header, ccTime); i >= 0 {
		return record[i]
	}
	return ""
}

func inputError(err error, empty string) *InputError {
	var p *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return &InputError{1, errors.New(empty)}
	case errors.As(err, &p):
		return &InputError{p.Line, p.Err}
	}
	return &InputError{0, err}
}

func checkHeader(header []string) error {
	for i := range header {
		if !slices.Contains(known, header[i]) {
			return fmt.Errorf("unknown column %.40q; known are %s", header[i], strings.Join(known, ","))
		}
		if slices.Contains(header[:i], header[i]) {
			return fmt.Errorf("column %s is there twice", header[i])
		}
	}
	for _, name := range known[:3] {
		if !slices.Contains(header, name) {
			return fmt.Errorf("column %s is missing", name)
		}
	}
	return nil
}

func parseRow(header, record []string, lookup Lookup) (Row, error) {
	var row Row
	for i, column := range header {
		if err := row.set(column, strings.TrimSpace(record[i]), lookup); err != nil {
			return row, fmt.Errorf("%s: %w", column, err)
		}
	}
	return row, nil
}

func (r *Row) set(column, text string, lookup Lookup) error {
	if text == "" {
		if slices.Contains(known[:3], column) {
			return errors.New("is empty")
		}
		return nil
	}
	switch column {
	case "name":
		r.Name = text
		return nil
	case "country":
		f, err := lookup(text)
		r.Country = f.ISO3
		return err
	}
	p, err := parsePrinted(text)
	if err != nil {
		return err
	}
	switch column {
	case "duration_s":
		r.Duration = p
		if p.lo() < least {
			return errors.New("is 0")
		}
	case "emissions_kg":
		r.Emissions = p
	case "energy_kwh":
		r.EnergyKWh = &p
	case "cpu_tdp_w":
		r.TDPW = &p.Value
	case "ram_gb":
		r.RAMGB = &p.Value
	}
	return nil
}
