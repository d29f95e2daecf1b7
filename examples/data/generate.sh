#!/bin/sh
# generate.sh - writes the texts that wordcount counts: nonsense from a small grammar, the same in
# every run. Needs POSIX awk only. Usage: cd examples/data && sh generate.sh
set -eu

# text FILE SEED PARAGRAPHS
text()
{
    LC_ALL=C awk -v seed="$2" -v paragraphs="$3" '
    function random(n) # 0 .. n - 1, by a linear congruential generator that is exact in doubles
    {
        seed = (seed * 16807) % 2147483647
        return int(seed / 65536) % n
    }
    function set(name, words,    i, n, list)
    {
        n = split(words, list, "|")
        size[name] = n
        for (i = 1; i <= n; i++) word[name, i] = list[i]
    }
    function pick(name,    a, b) # the earlier a word stands in its list, the more often it comes
    {
        a = random(size[name]); b = random(size[name])
        return word[name, (a < b ? a : b) + 1]
    }
    function thing(    s)
    {
        s = pick("the") " " (random(3) == 0 ? pick("adjective") " " : "") pick("noun")
        if (random(4) == 0) s = s " " pick("where") " the " pick("noun")
        return s
    }
    function sentence(    s)
    {
        s = thing() " " pick("verb") " " thing()
        if (random(3) == 0) s = s " " pick("how")
        if (random(3) == 0) s = s pick("join") thing() " " pick("verb") " " thing()
        return toupper(substr(s, 1, 1)) substr(s, 2) pick("end")
    }
    BEGIN {
        set("the", "the|a|this|every|no|another|that|one")
        set("adjective", "old|small|quiet|red|second|broken|patient|deep|bright|careful|salt|" \
            "northern|wooden|distant|half-open|slow|golden|nameless|last|well-known")
        set("noun", "ship|harbour|captain|lighthouse|storm|island|keeper|lamp|wave|rope|map|gull|" \
            "anchor|morning|letter|sailor|tide|bell|door|clock|cat|stone|wind|window|kettle|" \
            "boat|tower|stair|compass|song|net|star|chart|cloud|pilot|shore|coat|barrel|" \
            "lantern|whale|cook|deck|horizon|engine|crew|cousin|ladder|fog|sail|parrot")
        set("verb", "saw|held|followed|kept|remembered|crossed|answered|carried|lost|counted|" \
            "lit|watched|found|mended|feared|named|left|called|turned|drew|woke|outlived")
        set("where", "of|by|under|behind|from|beyond|near|above")
        set("how", "at night|in silence|once more|without a word|before dawn|by accident|" \
            "for 7 years|twice|in 1843|with great care|again and again")
        set("join", ", and |; | because |, but | until | while |, for |, although ")
        set("end", ".|.|.|!|?|...")
        for (p = 0; p < paragraphs; p++) {
            line = ""
            for (s = 4 + random(6); s > 0; s--) {
                n = split(sentence(), token, " ")
                for (i = 1; i <= n; i++) {
                    if (length(line) + 1 + length(token[i]) > 78) { print line; line = "" }
                    line = line (line == "" ? "" : " ") token[i]
                }
            }
            print line
            print ""
        }
    }' > "$1"
}

text harbour.txt 1843 100
text island.txt 50847 80
text storm.txt 271828 60
