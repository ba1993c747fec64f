"""Writes the reference fixtures of this folder: python3 reference.py

An implementation of rouge_score's tokeniser and ROUGE-L, of SQuAD v1.1's
normalisation and of em's word rules, written from their descriptions, in the
language whose string methods define the first two. Every random choice is
seeded; the fixtures were written by Python 3.11 (Unicode 14.0).
"""
import json
import os
import random
import re
import string
import unicodedata

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = random.Random(20241001)

WORDS = """the a an The capital of France is Paris PARIS Paris, (Paris) "Paris" Lyon and river Seine
 isn't can't U.S. U.S U.K. J.K. Rowling J.K.Rowling 1,000 10,000,000 1,00 12,345,67 3.14 1. .5 C++ C# F# C++11
 O'Brien O’Brien OʼBrien Brien's Paris's PARIS'S dogs' it's 'quoted' rock'n'roll well-known mother-in-law état ÉTAT café
 cafe\u0301 straße STRASSE Große ΣΊΣΥΦΟΣ ΑΣ Σ ΑΣ' Α.Σ.Β İstanbul ISTANBUL istanbul Iğdır \u212a \u212aelvin 5\u212a ﬁne
 ½ x² ① Ⅳ 東京 日本 москва Москва\u0301 ｆｕｌｌ \u0301 \u200f e.g. i.e. p.m. a.m. D.C. D.C.A. a.b ab.c a.bc a1 1a 1960s
 20th re_do under_score _ __ ' '' - -- ... . , ; : ! ? the's an' a- -a the\u0301 thé ans these theatre
 \u01c5 \u1e9e ŉ ΐ ᾳ ǰ Ａ ａｎ ٣ ٣٤ ๓ H2O CO2 + # ++ A+ A+B #1 c#d 1,234.5 1.234,5 $1,000 U.S.' N.A.S.A. N.A.S.A's""".split()
SPACES = [" "] * 12 + ["\t", "\n", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u3000", "\u200b", "  ", "", "-", "/", "\x00", "."]


def some_text(most):
    out = []
    for _ in range(rng.randint(0, most)):
        out.append(rng.choice(WORDS) if rng.random() < 0.97 else chr(rng.choice([rng.randint(32, 0x2FF), rng.randint(0x300, 0x30FF)])))
        out.append(rng.choice(SPACES))
    return "".join(out)


def related(text):
    parts = text.split(" ")
    parts = [p for p in parts if rng.random() < 0.7]
    for _ in range(rng.randint(0, 3)):
        parts.insert(rng.randint(0, len(parts)), rng.choice(WORDS))
    return " ".join(parts)


def rouge_tokens(text):
    return [t for t in re.split("[^a-z0-9]+", text.lower()) if t]


def lcs(a, b):
    row = [0] * (len(b) + 1)
    for x in a:
        previous = row
        row = [0]
        for j, y in enumerate(b):
            row.append(previous[j] + 1 if x == y else max(previous[j + 1], row[j]))
    return row[-1]


def rouge_l(reference, text):
    r, c = rouge_tokens(reference), rouge_tokens(text)
    n = lcs(r, c)
    if n == 0:
        return [0.0, 0.0, 0.0]
    p, q = n / len(c), n / len(r)
    return [p, q, 2 * p * q / (p + q)]


def squad(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


APOSTROPHES = "'`´΄‘’‛′ʹʻʼʽʾʿˈˊˋꞌ՚׳״"
SPELLING = dict(zip("ßæœþðđħıĸłŋøŧƀɓƈɖɗəɛƒɠǥɨƙƚɲƞɔɵƥɍƭʈʉʋƴɏƶȥ",
                    "ss ae oe th d d h i q l n o t b b c d d e e f g g i k l n n o o p r t t u v y y z z".split()))
UNSPACED = ("CJK", "IDEOGRAPHIC ITERATION", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA PROLONGED", "THAI", "LAO", "KHMER", "MYANMAR", "HANGUL", "BOPOMOFO")
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-"))


def name(c):
    return unicodedata.name(c, "")


def kept_mark(c):
    """Whether a mark is part of a letter and no accent or point."""
    return not name(c).startswith(("COMBINING", "HEBREW", "ARABIC", "CYRILLIC", "VARIATION", "DEVANAGARI STRESS", "VEDIC", "IDEOGRAPHIC", "HANGUL")) \
        or c in "\u3099\u309a"


def em_letters(text):
    """Pairs of a character and its class: letter, unspaced letter, digit, mark, raised, vulgar, or the character itself."""
    out = []
    for c in text:
        flat = unicodedata.normalize("NFKD", c)
        if c in APOSTROPHES:
            out.append(("'", "'"))
        elif c in "™℠":
            out.append((" ", "x"))
        elif c == "\u200b":
            if not (out and (out[-1][1] == "u" or out[-1][1] == "m" and any(k == "u" for _, k in out[-3:]))):
                out.append((" ", "x"))
        elif unicodedata.category(c) == "Cf" and not name(c).startswith(("ARABIC NUMBER", "ARABIC FOOT", "ARABIC SIGN", "ARABIC END", "ARABIC POUND", "ARABIC PIASTRE", "ARABIC DISPUTED", "SYRIAC", "KAITHI", "INTERLINEAR", "EGYPTIAN")) or c in "\u0640\u034f" or name(c).startswith(("VARIATION SEL", "MONGOLIAN FREE")):
            pass
        elif c in RAISED:
            out.append((RAISED[c], "r"))
        elif "⁄" in flat and c != "⁄":
            out += [(x, "v" if x == flat[0] and i == 0 else "w") for i, x in enumerate(flat)]
        elif 0x3371 <= ord(c) <= 0x33DF:
            out += [(x, "r") if x.isascii() and x.isdigit() else plain_class(y) for x in flat for y in fold(x)]
        else:
            out += [plain_class(y) for x in flat for y in fold(x)]
    ordered = []
    for c, k in out:  # canonical order of marks, by insertion
        if k == "m":
            if not (ordered and ordered[-1][1] in "lum") or not kept_mark(c):
                continue
            at = len(ordered)
            while unicodedata.combining(c) and ordered[at - 1][1] == "m" and unicodedata.combining(ordered[at - 1][0]) > unicodedata.combining(c):
                at -= 1
            ordered.insert(at, (c, k))
        else:
            ordered.append((c, k))
    text = "".join(c if k == "u" else "\ue000" for c, k in ordered)
    return ordered if not re.search("[\u1100-\u11ff]", text) else hangul(ordered)


def hangul(pairs):
    out = []
    for c, k in pairs:
        whole = unicodedata.normalize("NFC", out[-1][0] + c) if out and out[-1][1] == "u" and k == "u" else ""
        if len(whole) == 1 and "\uac00" <= whole <= "\ud7a3":
            out[-1] = (whole, "u")
        else:
            out.append((c, k))
    return out


def fold(c):
    return c if unicodedata.category(c)[0] == "M" else "".join(SPELLING.get(x, x) for x in c.casefold())


def plain_class(c):
    category = unicodedata.category(c)
    if c in APOSTROPHES:
        return ("'", "'")
    if category[0] == "M":
        return (c, "m")
    if category == "Nd":
        return (c, "d")
    if category[0] in "LN":
        return (c, "u" if name(c).startswith(UNSPACED) else "l")
    if c in "−–‒":
        return ("-", "-")
    if category == "Zs":
        return (c, "_")
    return (c, c if c in "-+.,#/^⁄∕°‰%)]}—٬٫" else "x")


def script(c):
    return name(c).split()[0]


def with_borders(pairs):
    """A "b" goes between letters of two scripts."""
    out, last = [], ""
    for i, (c, k) in enumerate(pairs):
        if k == "l" and script(c) != "MODIFIER":
            if last and script(c) != last:
                out.append(("", "b"))
            last = script(c)
        elif k not in "dm'," or k == "'" and pairs[i + 1:i + 2] and pairs[i + 1][1] == "d":
            last = ""
        out.append((c, k))
    return out


GROUP = r"(?:(?<!d)d|dd|ddd)"
NUMBER = re.compile(
    r"(?P<sign>(?<![ludmrvw\-+.°‰%)\]}—])(?<!d')[-+](?=[dv]|\.d))?"
    r"(?:(?P<vulgar>vw+)|(?P<point>(?<![ludmrvw.])\.d+(?:[.,٫]d+)*)"
    r"|(?P<whole>d+)(?P<groups>(?:[,'٬]ddd(?!d))*)(?:(?P<decimals>(?:[.,٫]d+)+)|(?P<more>vw+)|(?P<slash>[/⁄∕]d{1,3}(?!d|/d|[.,٫]d)))?)"
    r"(?P<power>r+|\^[-+]?d+)?")


def digits_of(text):
    return "".join(c for c in text if c.isdigit())


def em_words(text):
    """Words, read off the classes of the characters by regular expressions."""
    pairs = with_borders(em_letters(text))
    k = "".join(x for _, x in pairs)
    t = [c for c, _ in pairs]
    words, at, last = [], 0, None  # last: what the word before allows (kind, where it ends)
    while at < len(k):
        if k[at] in "dv" or k[at] in "-+." and NUMBER.match(k, at):
            at, last = number(k, t, at, words, last)
        elif k[at] == "u":
            m = re.compile("(?:u(?:m|(?<=j)u)*)").match(k, at)
            end = at + 1
            while end < len(k) and (k[end] == "m" or k[end] == "u" and (t[end - 1] in "เแโใไເແໂໃໄ\u1039\u17d2")):
                end += 1
            words.append("".join(t[at:end]))
            at = end + (2 if k[end:end + 1] == "'" and t[end + 1:end + 2] == ["s"] and k[end + 2:end + 3] not in tuple("ludm") else 0)
            last = None
        elif k[at] == "l":
            at, last = letters(k, t, at, words, last)
        else:
            at += 1
    return words


def possessive(k, t, at):
    return k[at:at + 2] == "'l" and t[at + 1] == "s" and k[at + 2:at + 3] not in tuple("ludmb")


def initial(k, t, at):
    m = re.match(r"lm*", k[at:])
    if not m or at and k[at - 1] in "lm":
        return 0
    end = at + m.end()
    rest = k[end:end + 3]
    if re.match(r"[ludmb+#]|\^[-+]?d|r", rest) or rest[:1] == "'" and rest[1:2] in tuple("ludm") and not possessive(k, t, end):
        return 0
    return end if t[at].isalpha() else 0


def letters(k, t, at, words, last):
    end = initial(k, t, at)
    if not end:
        return word(k, t, at, words, ""), None
    chain, i = "".join(t[at:end]), end
    while k[i:i + 1] == "." and initial(k, t, i + 1):
        end = initial(k, t, i + 1)
        chain += "".join(t[i + 1:end])
        i = end
    single, stop = i == initial(k, t, at), k[i:i + 1] == "."
    i += stop
    if last and last[0] == "J." and single and stop and re.fullmatch("_+", k[last[1]:at] or "x"):
        words[-1] += chain
    else:
        words.append(chain)
    if possessive(k, t, i):
        return i + 2, ("J", i + 2)
    return i, ("J." if single and stop else "J", i)


WORD = re.compile(r"[ldm]|'(?=[lm])|'(?=ddd(?!d))|[.,٫](?=d)|[,٬](?=ddd(?!d))")


def word(k, t, at, words, begun):
    """A word that starts with a letter, or goes on after digits."""
    w, seen = begun, 0
    start = at
    while at < len(k):
        c = k[at]
        before = k[at - 1] if at else "x"
        power = re.match(r"\^[-+]?d+|r+", k[at:])
        if c in "ldm":
            seen += c == "l"
            w += t[at]
            at += 1
        elif power and seen <= 3 and re.search(r"d|[0-9]", "".join(t[at:at + power.end()])):
            w += "^" + "".join(t[at:at + power.end()]).lstrip("^").replace("+", "")
            at += power.end()
            break
        elif possessive(k, t, at):
            at += 2
            break
        elif c == "'" and before in "ldm" and k[at + 1:at + 2] in ("l", "m"):
            at += 1
        elif c in ",'٬" and re.match(r".ddd(?!d)", k[at:]) and re.search(r"(?<!d)d{1,3}$", k[:at]) and not re.search(r"(?<![d0,])0$", joined(k, t, at)):
            at += 1
        elif c in ".,٫" and before == "d" and k[at + 1:at + 2] == "d":
            w += "."
            at += 1
        elif c in "+#" and before == "l":
            m = re.match(r"[+#]+", k[at:])
            w += "".join(t[at:at + m.end()])
            at += m.end()
            at += 2 if possessive(k, t, at) else 0
            break
        else:
            break
    words.append(w)
    return at


def joined(k, t, at):
    return "".join("0" if x == "d" and c == "0" else x for x, c in zip(k[max(0, at - 5):at], t[max(0, at - 5):at]))


def number(k, t, at, words, last):
    m = NUMBER.match(k, at)
    get = lambda g: "".join(t[m.start(g):m.end(g)]) if m[g] else ""
    whole, groups, end = get("whole"), get("groups"), m.end()
    more, slash, decimals = m["more"], m["slash"], m["decimals"]
    gap = k[last[1]:at] if last and last[0] == "N" else ""
    goes_on = gap == "_" and len(whole) == 3 and m.start("whole") == at and last[2] in ("", t[at - 1])
    if groups and (len(whole) > 3 or whole[0] == "0" or goes_on):  # no groups after all
        groups, more, slash, decimals, end = "", None, None, None, m.end("whole")
        tail = re.match(r"(?:[.,٫]d+)+", k[end:])
        if tail:
            decimals, end = "".join(t[end:end + tail.end()]), end + tail.end()
    elif decimals:
        decimals = get("decimals")
    if slash and (groups or goes_on or len(whole) > 3 and get("slash")[0] != "⁄" or t[m.start("whole") - 1:m.start("whole")] == ["/"]):
        slash, end = None, m.end("groups")
    value = get("sign")
    if m["vulgar"]:
        value += get("vulgar").replace("⁄", "/")
    elif m["point"]:
        value += "0" + re.sub("[,٫]", ".", get("point"))
    else:
        value += digits_of(whole + groups) + re.sub("[,٫]", ".", decimals or "")
    bare = not (m["vulgar"] or m["point"] or groups or decimals) and (goes_on or len(whole) <= 3 and whole[0] != "0")
    if more and not bare:
        more, end = None, m.start("more")
    if more:
        value += "_" + get("more").replace("⁄", "/")
    if slash:
        value += "/" + get("slash")[1:]
    if (m["vulgar"] or slash) and gap == "_" and not m["sign"] and proper(value):
        value = words.pop() + "_" + value
    elif goes_on:
        value = words.pop() + value
    if end == m.end() and m["power"] or re.match(r"r+|\^[-+]?d+", k[end:]) and end != m.end():
        p = re.match(r"r+|\^[-+]?d+", k[m.start("power") if m["power"] and end == m.end() else end:])
        begin = m.start("power") if m["power"] and end == m.end() else end
        power = "".join(t[begin:begin + p.end()])
        if re.match(r"\^?[-+]?[0-9٠-٩๐-๙]", power):
            run = re.match(r"\^?[-+]?\w+", power)[0]
            value += "^" + run.lstrip("^").replace("+", "")
            end, bare = begin + len(run), False
        else:
            end = begin
    return suffix(k, t, end, value, words, bare and not (more or slash), t[at - 1] if goes_on else "")


def proper(fraction):
    a, b = fraction.split("/")
    return b != "" and int(a) < int(b)


def suffix(k, t, at, value, words, bare, space):
    begin = at + 1 if possessive(k, t, at) else at
    run = re.match(r"[lm]*", k[begin:]).end()
    unit = "".join(t[begin:begin + run])
    if not run or k[begin] != "l":
        words.append(value)
        return at, ("N", at, space) if bare else None
    after = k[begin + run:begin + run + 2]
    if after[:1] == "d" and not (t[begin + run] in "23" and after[1:] not in tuple("ludm")):
        return word(k, t, begin, words, value), None
    ten = len(value) > 1 and value[-2] == "1"
    if unit in ("th", "er", "ere", "eme", "e") or unit == {"1": "st", "2": "nd", "3": "rd"}.get(value[-1]) and not ten \
            or re.fullmatch(r"\d{3}0", value) and unit == "s":
        words.append(value + unit)
        return begin + run, None
    words.append(value)
    if re.fullmatch(r"\d0", value) and unit == "s":
        return word(k, t, begin, words, ""), None
    return begin, None


EM_WORDS = WORDS + """-40 −40 –40 +5 40 1914–1918 1914-1918 COVID-19 F-16 10%-20% 5'-6' --7 (-3) 0,5 3,14 3.14 .5 -.5 1,000 1,000,000 1'000 0,123 12,345.6
 1,2,3 10² 10^2 10⁻³ 10^-3 x^2 x² m² km² Paris¹ hours² 10⁶ 102 ½ 2½ 1½kg ⅔ 1/2 11/2 9/11 12/25/2020 24/7 1⁄2 5/120 H₂O CO₂ 5kg 5m2 100km/h 8,848m 20°C 20℃
 3D 4x4 1st 2nd 3rd 4th 11st 21st 21ˢᵗ 5st 1er 1920s 1920's 90s '90s 2016's 747's 9am 10p.m. ㎏ 5㎡ ㎞ C++ F# C++'s UTC+5 AT&T .NET Łódź Tromsø Đà Nẵng Æsop phœnix
 þorn ÞÓR ẞ œ ð Hawaiʻi Hawai'i ʻIolani O‘Brien O`Brien O´Brien Qurʾan 'n' rock ‘Paris’s l'eau d’Artagnan U. S. A. J. R. R. Tolkien J R vitamin C. A good E. coli e.g.
 дом Парижmix 東京Paris 1964年 第5章 서울은 한글 \u1112\u1161\u11ab กรุงเทพ น้ำ ก่า เก ទីក្រុង မန္တလေး दिल्ली दल्ला ए. पी. हिन्दी ハ パ ﾊﾟ ハ\u309a ー々 القُرآن שָׁלוֹם Tiế\u0301ng ﬁn Ⅳ Ｐａｒｉｓ ™ Bank™
 soft\u00adhyphen می\u200cخواهم A\u200bB 東\u200b京 1\u2009000\u2009000 1\xa0000 000 500 12 1 2 3""".encode().decode("unicode_escape").encode("latin-1").decode().split()
EM_SPACES = [" "] * 20 + ["\u2009", "\xa0", "\n", "", "", "-", "/", ".", ". ", ", ", "’", "^", "+", "\u3000", "_", "("]


def em_text(most):
    return "".join(rng.choice(EM_WORDS) + rng.choice(EM_SPACES) for _ in range(rng.randint(1, most)))


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def every():
    return (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) != "Cn")


def write(name, value):
    with open(name, "w", encoding="ascii") as f:
        json.dump(value, f, indent=None, separators=(",", ":"))
        f.write("\n")


def lines(name, values):
    with open(name, "w", encoding="ascii") as f:
        for v in values:
            f.write(json.dumps(v, separators=(",", ":")) + "\n")


pairs = []
for _ in range(1500):
    r = some_text(rng.choice([3, 10, 40]))
    t = related(r) if rng.random() < 0.7 else some_text(40)
    pairs.append([r, t, *rouge_l(r, t)])
for _ in range(40):
    r = some_text(200)
    pairs.append([r, related(r), *rouge_l(r, related(r))][:2])
    pairs[-1] += rouge_l(*pairs[-1])
lines("rouge.jsonl", pairs)
lines("squad.jsonl", [[t, squad(t)] for t in (some_text(6) for _ in range(1200))])
rng = random.Random(20250301)
lines("words.jsonl", [[t, em_words(t)] for t in (em_text(6) for _ in range(4000))])
write("unicode.json", {
    "assigned": ranges(every()),
    "lower": [[c, chr(c).lower()] for c in every() if chr(c).lower() != chr(c)],
    # Cherokee folds to capitals; only whether two letters fold alike matters.
    "letters": [[c, x] for c in every() for x in ["".join(y for y, _ in em_letters(chr(c)))] if x != chr(c)
                and not unicodedata.name(chr(c), "").startswith(("CHEROKEE", "HANGUL", "CJK COMPATIBILITY"))],
    "marks": ranges(c for c in every() if unicodedata.category(chr(c))[0] == "M" and len(em_letters("a" + chr(c))) > 1),
    "space": ranges(c for c in every() if chr(c).isspace()),
    "word": ranges(c for c in every() if re.match(r"\w", chr(c))),
    "sigma_after": ranges(c for c in every() if ("A" + chr(c) + "Σ").lower().endswith("ς")),
    "cased": ranges(c for c in every() if (chr(c) + "Σ").lower().endswith("ς")),
})
