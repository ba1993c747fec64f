//go:build ignore

// Gen turns the average grid intensities of the npm package @tgwf/co2 into
// factors.tsv: code, alpha-2 code, English name, gCO2e/kWh. Its argument is
// the unpacked package.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

var object = regexp.MustCompile(`(?s)const data = (\{.*?\});`)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run gen.go PACKAGE_FOLDER")
	}
	data, err := os.ReadFile(filepath.Join(os.Args[1], "dist/cjs/data/average-intensities.min.js"))
	if err != nil {
		log.Fatal(err)
	}
	match := object.FindSubmatch(data)
	if match == nil {
		log.Fatal("the package's file has no table of data")
	}
	var factors map[string]json.Number
	if err := json.Unmarshal(match[1], &factors); err != nil {
		log.Fatal(err)
	}
	var out strings.Builder
	for _, code := range slices.Sorted(maps.Keys(factors)) {
		value, err := factors[code].Float64()
		if err != nil {
			log.Fatal(err)
		}
		alpha2, name := describe(code)
		fmt.Fprintf(&out, "%s\t%s\t%s\t%g\n", code, alpha2, name, value)
	}
	if err := os.WriteFile("factors.tsv", []byte(out.String()), 0o644); err != nil {
		log.Fatal(err)
	}
}

// describe names a country by its code; what is no country is a region.
// Kosovo's codes are in use but not in the standard.
func describe(code string) (alpha2, name string) {
	if code == "XKX" {
		code = "XK"
		return code, display.English.Regions().Name(language.MustParseRegion(code))
	}
	region, err := language.ParseRegion(code)
	if len(code) != 3 || err != nil {
		return "", code
	}
	return region.String(), display.English.Regions().Name(region)
}
