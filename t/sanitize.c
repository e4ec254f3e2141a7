/* The settings of the sanitizers for the nginx of ./build.sh test --sanitize, which is linked with this. */

#include <stdint.h>

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);
int dlclose(void *handle);

/* Of nginx; what its configure links to try something out does not have it. */
extern uintptr_t ngx_test_config __attribute__((weak));

/* nginx has variables of the same name in itself and in modules that are built as shared objects. */
const char *__asan_default_options(void)
{
    return "detect_odr_violation=0:detect_stack_use_after_return=1:abort_on_error=0";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:halt_on_error=1";
}

/* What nginx leaves to the end of the process: its connections, and what belongs to a regular expression. */
const char *__lsan_default_suppressions(void)
{
    return "leak:ngx_event_process_init\nleak:ngx_regex_malloc\n";
}

/* nginx -t frees nothing. */
int __lsan_is_turned_off(void)
{
    return &ngx_test_config != 0 && ngx_test_config;
}

/*
 * A module stays loaded until the process ends. nginx would unload it before leaks are looked for: then nothing would
 * lead to what the module keeps for the life of a worker, and reports would not name its functions.
 */
int dlclose(void *handle)
{
    (void) handle;
    return 0;
}
