package grid

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

// said lists names that people say and that Unicode's list of names (CLDR)
// lacks: parts of a country, what one was called before, and the forms of
// international bodies.
var said = map[string]string{
	"england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "great britain": "GB", "britain": "GB",
	"usa": "US", "united states of america": "US", "america": "US",
	"russian federation": "RU", "republic of korea": "KR", "korea republic of": "KR", "dprk": "KP",
	"holland": "NL", "the netherlands": "NL", "czech republic": "CZ", "ivory coast": "CI", "burma": "MM", "swaziland": "SZ",
	"turkey": "TR", "cape verde": "CV", "macedonia": "MK", "uae": "AE", "emirates": "AE", "viet nam": "VN", "lao pdr": "LA",
	"lao peoples democratic republic": "LA", "syrian arab republic": "SY", "brunei darussalam": "BN", "hong kong": "HK", "macau": "MO", "macao": "MO",
	"peoples republic of china": "CN", "mainland china": "CN", "republic of ireland": "IE", "eire": "IE", "east timor": "TL",
	"democratic republic of the congo": "CD", "dr congo": "CD", "drc": "CD", "congo": "CG", "republic of the congo": "CG",
	"palestine": "PS", "state of palestine": "PS", "bosnia": "BA", "trinidad": "TT", "ussr": "RU",
}

// several lists names that stand for more than one country, the likelier first.
var several = map[string][]string{"korea": {"KR", "KP"}}

// plainName makes names comparable: lower case, without accents, apostrophes
// and a leading article, with "and" for &.
func plainName(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case unicode.Is(unicode.Mn, r), strings.ContainsRune("'’‘`´ʼʻ", r):
		case r == '&':
			b.WriteString(" and ")
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteRune(' ')
		}
	}
	return strings.TrimPrefix(strings.Join(strings.Fields(b.String()), " "), "the ")
}

// named lists the languages whose names of countries are known, English first.
var named = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Italian, language.Portuguese, language.Dutch,
	language.Swedish, language.Norwegian, language.Danish, language.Finnish, language.Polish, language.Czech, language.Hungarian,
	language.Turkish, language.Russian, language.Ukrainian, language.Greek, language.Japanese, language.Korean, language.Chinese,
	language.Arabic, language.Hindi,
}

// byName is every country's code of two letters by the names that CLDR has.
var byName = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, tag := range named {
		namer := display.Regions(tag)
		for _, e := range entries() {
			region, err := language.ParseRegion(e.alpha2)
			if e.alpha2 == "" || err != nil || namer == nil {
				continue
			}
			if name := plainName(namer.Name(region)); name != "" && names[name] == "" {
				names[name] = e.alpha2
			}
		}
	}
	for name, code := range said {
		names[name] = code
	}
	return names
})

// alpha2Of returns the code of two letters that a name or another code of a
// country means, empty where it means none or several.
func alpha2Of(name string) string {
	if region, err := language.ParseRegion(name); err == nil {
		return region.Canonicalize().String()
	}
	for _, form := range []string{name, cut(name)} {
		plain := plainName(form)
		if _, unclear := several[plain]; unclear {
			return ""
		}
		if code := byName()[plain]; code != "" {
			return code
		}
	}
	return ""
}

// cut leaves out what international bodies put behind a country's name, as in
// "Iran, Islamic Republic of" and "Bolivia (Plurinational State of)".
func cut(name string) string {
	if i := strings.IndexAny(name, ",("); i > 0 {
		return name[:i]
	}
	return name
}

// meant are the codes of the countries that an unclear name may mean.
func meant(name string) []string { return slices.Clone(several[plainName(name)]) }
