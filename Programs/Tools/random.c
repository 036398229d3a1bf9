// random: prints 32 random bytes in hexadecimal digits.

#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

int main(void) {
  uint8_t bytes[32];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return 1;
  for (unsigned index = 0; index < sizeof bytes; index++) printf("%02x", bytes[index]);
  printf("\n");
  return 0;
}
