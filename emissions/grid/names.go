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
// lacks: parts of a country, what one is or was called, and the forms of
// international bodies.
var said = map[string]string{
	"england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "great britain": "GB", "britain": "GB",
	"united kingdom of great britain and northern ireland": "GB",
	"usa": "US", "united states of america": "US", "america": "US", "united states virgin islands": "VI",
	"russian federation": "RU", "republic of korea": "KR", "korea republic of": "KR", "rep korea": "KR", "rok": "KR", "s korea": "KR",
	"dprk": "KP", "n korea": "KP", "democratic peoples republic of korea": "KP", "dem peoples rep korea": "KP",
	"holland": "NL", "czech republic": "CZ", "slovak republic": "SK", "kyrgyz republic": "KG", "ivory coast": "CI", "burma": "MM",
	"swaziland": "SZ", "eswatini": "SZ", "turkey": "TR", "cape verde": "CV", "ksa": "SA",
	"macedonia": "MK", "north macedonia": "MK", "fyrom": "MK", "former yugoslav republic of macedonia": "MK",
	"uae": "AE", "emirates": "AE", "viet nam": "VN", "lao pdr": "LA",
	"lao peoples democratic republic": "LA", "syrian arab republic": "SY", "brunei darussalam": "BN",
	"hong kong": "HK", "hong kong sar": "HK", "macau": "MO", "macao": "MO", "macao sar": "MO", "macau sar": "MO",
	"peoples republic of china": "CN", "prc": "CN", "mainland china": "CN", "republic of china": "TW",
	"republic of ireland": "IE", "eire": "IE", "east timor": "TL",
	"democratic republic of the congo": "CD", "democratic republic of congo": "CD", "dem rep of the congo": "CD", "dem rep congo": "CD", "dr congo": "CD", "drc": "CD", "zaire": "CD",
	"republic of the congo": "CG", "republic of congo": "CG", "rep of the congo": "CG", "rep congo": "CG",
	"palestine": "PS", "state of palestine": "PS", "bosnia": "BA", "bosnia herzegovina": "BA", "trinidad": "TT", "ussr": "RU",
	"european union": "EU",
}

// several lists names that stand for more than one country, the likelier first.
var several = map[string][]string{"korea": {"KR", "KP"}, "congo": {"CG", "CD"}, "virgin islands": {"VI", "VG"}}

// apostrophes are the characters that people write for one.
const apostrophes = "'’‘`´ʼʻʹʾʿ′‛＇"

// plainName makes names comparable: lower case, without accents, apostrophes,
// full stops and a leading article, with "and" for &.
func plainName(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(dropped(strings.ToLower(name), apostrophes+".")) {
		switch {
		case unicode.Is(unicode.Mn, r):
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

func dropped(s, characters string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(characters, r) {
			return -1
		}
		return r
	}, s)
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

// codeOf returns the code of two letters, or a region's name in the table, that
// a name or another code means, empty where it means none or several.
func codeOf(name string) string {
	if code := exactly(name); code != "" {
		return code
	}
	base, rest := parted(name)
	if rest == "" {
		return exactly(withoutForm(plainName(name)))
	}
	// Congo, Democratic Republic of the; Congo (DRC). What stands behind the
	// name may tell countries apart, so that the name alone comes last.
	if code := exactly(rest + " " + base); code != "" {
		return code
	}
	code, other := exactly(base), exactly(rest)
	if code == "" && slices.Contains(several[plainName(base)], other) {
		return other
	}
	if other != "" && other != code && other != "CN" { // Georgia, USA; not: Hong Kong, China
		return ""
	}
	return code
}

// exactly finds a whole name or code.
func exactly(name string) string {
	plain := plainName(name)
	if _, unclear := several[plain]; unclear {
		return ""
	}
	if code := byName()[plain]; code != "" {
		return code
	}
	if region, err := language.ParseRegion(strings.ReplaceAll(plain, " ", "-")); err == nil {
		return region.Canonicalize().String()
	}
	return ""
}

// parted splits what international bodies put behind a country's name from it.
func parted(name string) (base, rest string) {
	if i := strings.IndexAny(name, ",("); i > 0 {
		return name[:i], strings.Trim(name[i:], ",() ")
	}
	return name, ""
}

// withoutForm leaves out the form of government in front, as in Islamic
// Republic of Iran.
func withoutForm(plain string) string {
	for _, form := range []string{"republic of ", "kingdom of ", "state of ", "commonwealth of ", "principality of ", "sultanate of "} {
		if _, name, found := strings.Cut(plain, form); found {
			return name
		}
	}
	return plain
}

// meant are the codes of the countries that an unclear name may mean.
func meant(name string) []string { return slices.Clone(several[plainName(name)]) }
