/*
 * The disk shim's plan: which calls fail, and how.
 */
#ifndef DISK_SHIM_PLAN_H
#define DISK_SHIM_PLAN_H

#include "disk_shim_base.h"

/*
 * A line of the plan: `CALLS NAMES WHAT [after N] [count N] [id N]`.
 *
 * CALLS: words with commas between, of: open (for reading) open-write create read write truncate rename unlink mkdir link sync access lock, or `*`.
 * NAMES: a pattern with `*` and `?` for the name below the folder (`*` also takes slashes). WHAT: an errno (ENOSPC),
 * `short:N` (a write of N bytes only), `sleep:N` (milliseconds, then as usual), `kill` (SIGKILL before the call), `kill-after`.
 * The first N calls that match go as usual (`after`), then at most N fail (`count`). Counting begins anew when the line changes,
 * which is what `id` is good for.
 */
struct rule {
    const char *calls, *names, *what;
    uint64_t after, count, hash;
};

enum outcome { AS_USUAL, ANSWER, SHORT, KILL, KILL_AFTER };

static int matches(const char *pattern, const char *text)
{
    for (; *pattern != 0; pattern++, text++) {
        if (*pattern == '*') {
            for (;; text++) {
                if (matches(pattern + 1, text))
                    return 1;
                if (*text == 0)
                    return 0;
            }
        }
        if (*text == 0 || (*pattern != '?' && *pattern != *text))
            return 0;
    }
    return *text == 0;
}

static int has_word(const char *list, const char *word)
{
    size_t bytes = strlen(word);

    if (strcmp(list, "*") == 0)
        return 1;
    for (;; list++) {
        size_t part = strcspn(list, ",");

        if (part == bytes && memcmp(list, word, bytes) == 0)
            return 1;
        list += part;
        if (*list == 0)
            return 0;
    }
}

static uint64_t number_in(const char *text)
{
    uint64_t number = 0;

    while (text != NULL && *text >= '0' && *text <= '9')
        number = number * 10 + (uint64_t)(*text++ - '0');
    return number;
}

static int errno_named(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EROFS", EROFS},   {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                 {"EACCES", EACCES}, {"EPERM", EPERM},   {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EAGAIN", EAGAIN},
                 {"EFBIG", EFBIG},   {"ENOENT", ENOENT}, {"ENOLCK", ENOLCK}, {"ENOMEM", ENOMEM}, {"ESTALE", ESTALE}};
    size_t at;

    for (at = 0; at < sizeof known / sizeof *known; at++)
        if (strcmp(known[at].name, name) == 0)
            return known[at].number;
    fail("the plan names an errno that is not known");
    return EIO;
}

static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t");
    size_t bytes = strcspn(word, " \t");

    *rest = word + bytes + (word[bytes] != 0);
    word[bytes] = 0;
    return *word == 0 ? NULL : word;
}

static int parse_rule(char *line, struct rule *rule)
{
    char *word;
    const char *at;

    memset(rule, 0, sizeof *rule);
    rule->count = UINT64_MAX;
    rule->hash = 14695981039346656037ull;
    for (at = line; *at != 0; at++)
        rule->hash = (rule->hash ^ (unsigned char)*at) * 1099511628211ull;
    rule->calls = next_word(&line);
    if (rule->calls == NULL || *rule->calls == '#')
        return 0;
    rule->names = next_word(&line);
    rule->what = next_word(&line);
    if (rule->what == NULL)
        fail("a line of the plan is too short");
    while ((word = next_word(&line)) != NULL) {
        const char *value = next_word(&line);

        if (strcmp(word, "after") == 0)
            rule->after = number_in(value);
        else if (strcmp(word, "count") == 0)
            rule->count = number_in(value);
        else if (strcmp(word, "id") != 0)
            fail("a word in the plan is not known");
    }
    return 1;
}

/* Whether it is this rule's turn; counts the call. */
static int is_due(const struct rule *rule, int slot)
{
    uint64_t seen, known = atomic_load(&shared->rules[slot].rule);

    if (known != rule->hash && atomic_compare_exchange_strong(&shared->rules[slot].rule, &known, rule->hash)) {
        atomic_store(&shared->rules[slot].seen, 0);
        atomic_store(&shared->rules[slot].fired, 0);
    }
    seen = atomic_fetch_add(&shared->rules[slot].seen, 1);
    if (seen < rule->after || seen - rule->after >= rule->count)
        return 0;
    atomic_fetch_add(&shared->rules[slot].fired, 1);
    return 1;
}

/* What is to happen to a call; `*value` is the answer or the count of bytes. */
static enum outcome planned(const char *call, const struct name *name, long *value)
{
    char text[4096], *line = text;
    long file, bytes;
    int slot;

    if (plan[0] == 0 || !name->inside)
        return AS_USUAL;
    file = PASS(SYS_openat, AT_FDCWD, plan, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return AS_USUAL;
    bytes = PASS(SYS_read, file, text, sizeof text - 1);
    PASS(SYS_close, file);
    text[bytes < 0 ? 0 : bytes] = 0;
    for (slot = 0; slot < RULES_MAX && *line != 0; slot++) {
        size_t end = strcspn(line, "\n");
        int last = line[end] == 0;
        struct rule rule;

        line[end] = 0;
        if (parse_rule(line, &rule) && has_word(rule.calls, call) && matches(rule.names, below(name)) &&
            is_due(&rule, slot)) {
            if (strncmp(rule.what, "short:", 6) == 0) {
                *value = (long)number_in(rule.what + 6);
                return SHORT;
            }
            if (strcmp(rule.what, "kill-after") == 0)
                return KILL_AFTER;
            if (strcmp(rule.what, "kill") == 0)
                return KILL;
            if (strncmp(rule.what, "sleep:", 6) != 0) {
                *value = -errno_named(rule.what);
                return ANSWER;
            }
            nap((long)number_in(rule.what + 6) * 1000000);
        }
        line += end + !last;
    }
    return AS_USUAL;
}

#endif
