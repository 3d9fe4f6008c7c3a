/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.c: see cli.h.
 */
#include "cli.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "utf8.h"

int cli_fail(int status, const char *format, ...)
{
	va_list args;

	fputs("basilisk-tap: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

/* The option that @word is, and in *@value what stands behind its "=", or NULL. */
static const struct cli_option *find(const struct cli_option *options, const char *word,
				     const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] ? word + len + 1 : NULL;
	for (; options->name; options++) {
		if (strlen(options->name) == len && strncmp(options->name, word, len) == 0)
			return options;
	}
	return NULL;
}

int cli_options(int argc, char *argv[], const struct cli_option *options, const char *usage,
		int *status)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const struct cli_option *option;
		const char *value;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			*status = CLI_OK;
			return -1;
		}
		option = find(options, argv[i], &value);
		if (!option || (option->flag && value)) {
			*status = cli_fail(CLI_USAGE, "%s: '%s' is not understood (try --help)",
					   argv[0], argv[i]);
			return -1;
		}
		if (option->flag) {
			*option->flag = true;
			continue;
		}
		if (!value && i + 1 < argc)
			value = argv[++i];
		if (!value || !*value) {
			*status = cli_fail(CLI_USAGE, "%s: '%s' wants a value (try --help)",
					   argv[0], option->name);
			return -1;
		}
		*option->value = value;
	}
	return i;
}

bool cli_only_options(int argc, char *argv[], const struct cli_option *options, const char *usage,
		      int *status)
{
	int next = cli_options(argc, argv, options, usage, status);

	if (next >= 0 && next < argc)
		*status = cli_fail(CLI_USAGE, "%s: '%s' is not understood (try --help)", argv[0],
				   argv[next]);
	return next == argc;
}

bool cli_user(const char *name, uid_t *uid)
{
	const struct passwd *user = name ? getpwnam(name) : NULL;
	uint32_t number;

	if (!name)
		*uid = getuid();
	else if (user)
		*uid = user->pw_uid;
	else if (number_parse(name, strlen(name), UINT32_MAX - 1, &number) == 0)
		*uid = number;
	else
		return cli_fail(false, "there is no user '%s'", name);
	return true;
}

char **cli_split(char *text)
{
	size_t n = 1;
	char **lines, *save;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	lines = calloc(n + 1, sizeof(*lines));
	if (!lines)
		return NULL;
	n = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		lines[n++] = line;
	return lines;
}

void cli_json_string(FILE *file, const char *text)
{
	size_t left = strlen(text);

	fputc('"', file);
	while (left) {
		size_t len = utf8_len(text, left);
		const unsigned char c = (unsigned char)*text;

		if (!len && c < ' ')
			fprintf(file, "\\u%04x", c);
		else if (!len)
			fputs("\xef\xbf\xbd", file);
		else if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else
			fwrite(text, 1, len, file);
		len += !len;
		text += len;
		left -= len;
	}
	fputc('"', file);
}
