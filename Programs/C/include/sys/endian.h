// sys/endian.h: the order of bytes, and numbers in the other one.
#pragma once

#include <stdint.h>
#include <sys/cdefs.h>

#define _LITTLE_ENDIAN 1234
#define _BIG_ENDIAN 4321
#define _BYTE_ORDER _LITTLE_ENDIAN
#define LITTLE_ENDIAN _LITTLE_ENDIAN
#define BIG_ENDIAN _BIG_ENDIAN
#define BYTE_ORDER _BYTE_ORDER

#define bswap16(value) __builtin_bswap16(value)
#define bswap32(value) __builtin_bswap32(value)
#define bswap64(value) __builtin_bswap64(value)
#define htobe16(value) bswap16(value)
#define htobe32(value) bswap32(value)
#define htobe64(value) bswap64(value)
#define htole16(value) ((uint16_t)(value))
#define htole32(value) ((uint32_t)(value))
#define htole64(value) ((uint64_t)(value))
#define be16toh(value) htobe16(value)
#define be32toh(value) htobe32(value)
#define be64toh(value) htobe64(value)
#define le16toh(value) htole16(value)
#define le32toh(value) htole32(value)
#define le64toh(value) htole64(value)

// Numbers at any address.
#define __ENDIAN_ACCESS(bits, order)                                          \
  static inline uint##bits##_t order##bits##dec(const void *place) {          \
    uint##bits##_t value;                                                     \
    __builtin_memcpy(&value, place, sizeof value);                            \
    return order##bits##toh(value);                                           \
  }                                                                           \
  static inline void order##bits##enc(void *place, uint##bits##_t value) {    \
    value = hto##order##bits(value);                                          \
    __builtin_memcpy(place, &value, sizeof value);                            \
  }
__ENDIAN_ACCESS(16, be)
__ENDIAN_ACCESS(32, be)
__ENDIAN_ACCESS(64, be)
__ENDIAN_ACCESS(16, le)
__ENDIAN_ACCESS(32, le)
__ENDIAN_ACCESS(64, le)
#undef __ENDIAN_ACCESS
