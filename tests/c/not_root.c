/*
 * Preloaded where the tests run as root: p11-kit does not read a user's configuration then, and the machine's is not ours to write.
 */
#include <unistd.h>

uid_t getuid(void)
{
    return 1000;
}
