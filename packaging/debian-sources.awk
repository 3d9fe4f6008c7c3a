# SPDX-License-Identifier: LGPL-2.1-or-later
#
# debian-sources.awk: from apt's source lists, in both of their formats, print one-line entries for
# the Debian release CODENAME (-v), each with the components main and contrib.
# Entries of other vendors, for other suites, of sources and without main are left out.

function wanted(suite) {
	return suite == codename || suite == codename "-updates" ||
		suite == codename "-security" || suite == codename "/updates"
}

function print_entry(options, uri, suite) {
	if (wanted(suite))
		print "deb " options uri " " suite " main contrib"
}

# one line: deb [options] URI suite component...
function one_line(text,	options, word) {
	sub(/^ /, "", text)
	sub(/ #.*/, "", text)
	options = ""
	if (match(text, /\[[^]]*\][ \t]*/)) {
		options = substr(text, RSTART, RLENGTH) " "
		text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
	}
	split(text, word, /[ \t]+/)
	if (text ~ /[ \t]main([ \t]|$)/)
		print_entry(options, word[2], word[3])
}

# a stanza of fields: every URI with every suite
function stanza(	options, uri, suite, uris, suites, i, j, field_name) {
	if (value["types"] ~ /(^| )deb( |$)/ && value["components"] ~ /(^| )main( |$)/ &&
	    tolower(value["enabled"]) != "no") {
		# a key that is written out in the stanza has no one-line form: apt then looks among
		# its trusted keys, where Debian's own are
		if (value["signed-by"] ~ /^\/[^ ]*$/)
			options = "[signed-by=" value["signed-by"] "] "
		uris = split(value["uris"], uri, " ")
		suites = split(value["suites"], suite, " ")
		for (i = 1; i <= uris; i++)
			for (j = 1; j <= suites; j++)
				print_entry(options, uri[i], suite[j])
	}
	for (field_name in value)
		delete value[field_name]
}

FNR == 1 { stanza() }
END { stanza() }
{ gsub(/[ \t]+/, " "); sub(/ $/, "") }
/^ ?#/ { next }
FILENAME !~ /\.sources$/ { if (/^ ?deb /) one_line($0); next }
/^$/ { stanza(); next }
/^ / { value[field] = value[field] $0; next }
{
	field = tolower($0)
	sub(/ ?:.*/, "", field)
	sub(/^[^:]*: ?/, "")
	value[field] = $0
}
