// calendar.c: seconds since 1970 as dates, and dates as text (time.h), in the proleptic Gregorian calendar and Greenwich's time.

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { SECONDS_A_DAY = 86400, DAYS_OF_400_YEARS = 146097, DAYS_BEFORE_1970 = 719468 };

static const char *const day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};

static int64_t divide_down(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0);
}

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// Days from 1 March of year 0 to the first of a month; years begin in March, so that the leap day is their last.
static int64_t days_to(int64_t year, int64_t month) {
  year += divide_down(month, 12);
  month -= divide_down(month, 12) * 12;
  int64_t march_month = (month + 10) % 12;
  if (month < 2) year--;
  return year * 365 + divide_down(year, 4) - divide_down(year, 100) + divide_down(year, 400) + (march_month * 153 + 2) / 5;
}

// MARK: Seconds and dates

struct tm *gmtime_r(const time_t *given, struct tm *result) {
  int64_t days = divide_down(*given, SECONDS_A_DAY), seconds = *given - days * SECONDS_A_DAY;
  int64_t day = days + DAYS_BEFORE_1970, era = divide_down(day, DAYS_OF_400_YEARS);
  int64_t of_era = day - era * DAYS_OF_400_YEARS;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (year * 365 + year / 4 - year / 100);
  int64_t march_month = (of_year * 5 + 2) / 153;
  year += era * 400 + (march_month >= 10);
  if (year - 1900 > INT_MAX || year - 1900 < INT_MIN) {
    errno = EOVERFLOW;
    return NULL;
  }
  int64_t month = (march_month + 2) % 12;
  *result = (struct tm){
      .tm_sec = (int)(seconds % 60),
      .tm_min = (int)(seconds / 60 % 60),
      .tm_hour = (int)(seconds / 3600),
      .tm_mday = (int)(of_year - (march_month * 153 + 2) / 5) + 1,
      .tm_mon = (int)month,
      .tm_year = (int)(year - 1900),
      .tm_wday = (int)(days + 4 - divide_down(days + 4, 7) * 7),
      .tm_yday = (int)(day - days_to(year, 0)),
      .tm_zone = (char *)"UTC",
  };
  return result;
}

// The members may lie outside of their ranges; they are brought into them.
time_t timegm(struct tm *date) {
  int64_t days = days_to(date->tm_year + 1900L, date->tm_mon) - DAYS_BEFORE_1970 + date->tm_mday - 1;
  time_t seconds = days * SECONDS_A_DAY + date->tm_hour * 3600L + date->tm_min * 60L + date->tm_sec;
  return gmtime_r(&seconds, date) ? seconds : -1;
}

static struct tm shared_date;
struct tm *gmtime(const time_t *seconds) { return gmtime_r(seconds, &shared_date); }
struct tm *localtime(const time_t *seconds) { return gmtime_r(seconds, &shared_date); }
struct tm *localtime_r(const time_t *seconds, struct tm *date) { return gmtime_r(seconds, date); }
time_t mktime(struct tm *date) { return timegm(date); }

// MARK: Clocks

time_t time(time_t *result) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

clock_t clock(void) {
  struct timespec used;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return -1;
  return (clock_t)(used.tv_sec * CLOCKS_PER_SEC + used.tv_nsec / (1000000000 / CLOCKS_PER_SEC));
}

double difftime(time_t later, time_t earlier) { return (double)(later - earlier); }

int timespec_get(struct timespec *now, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

// MARK: Text

char *asctime_r(const struct tm *date, char *text) {
  snprintf(text, 26, "%.3s %.3s%3d %.2d:%.2d:%.2d %d\n",
           (unsigned)date->tm_wday < 7 ? day_names[date->tm_wday] : "???",
           (unsigned)date->tm_mon < 12 ? month_names[date->tm_mon] : "???", date->tm_mday, date->tm_hour, date->tm_min,
           date->tm_sec, date->tm_year + 1900);
  return text;
}

char *asctime(const struct tm *date) {
  static char text[26];
  return asctime_r(date, text);
}

char *ctime_r(const time_t *seconds, char *text) {
  struct tm date;
  return localtime_r(seconds, &date) ? asctime_r(&date, text) : NULL;
}

char *ctime(const time_t *seconds) {
  static char text[26];
  return ctime_r(seconds, text);
}

// The week of ISO 8601: the first of a year has its first Thursday.
static int iso_week(const struct tm *date, int *year) {
  int weekday = (date->tm_wday + 6) % 7, week = (date->tm_yday - weekday + 10) / 7;
  *year = date->tm_year + 1900;
  if (week == 0) {
    (*year)--;
    int yday = date->tm_yday + 365 + is_leap(*year);
    return (yday - weekday + 10) / 7;
  }
  if (week == 53 && date->tm_yday - weekday + 3 >= 365 + is_leap(*year)) {
    (*year)++;
    return 1;
  }
  return week;
}

size_t strftime(char *text, size_t size, const char *format, const struct tm *date) {
  size_t used = 0;
  int hour = date->tm_hour % 12 ? date->tm_hour % 12 : 12, year = date->tm_year + 1900, iso_year;
  int week = iso_week(date, &iso_year);
  struct tm copy = *date;
  for (; *format; format++) {
    char piece[64] = {*format, 0};
    if (*format == '%') {
      format++;
      if (*format == 'E' || *format == 'O') format++;
      const char *longer = NULL;
      switch (*format) {
        case 'a': snprintf(piece, sizeof piece, "%.3s", (unsigned)date->tm_wday < 7 ? day_names[date->tm_wday] : "?"); break;
        case 'A': snprintf(piece, sizeof piece, "%s", (unsigned)date->tm_wday < 7 ? day_names[date->tm_wday] : "?"); break;
        case 'b':
        case 'h': snprintf(piece, sizeof piece, "%.3s", (unsigned)date->tm_mon < 12 ? month_names[date->tm_mon] : "?"); break;
        case 'B': snprintf(piece, sizeof piece, "%s", (unsigned)date->tm_mon < 12 ? month_names[date->tm_mon] : "?"); break;
        case 'C': snprintf(piece, sizeof piece, "%02d", year / 100); break;
        case 'd': snprintf(piece, sizeof piece, "%02d", date->tm_mday); break;
        case 'e': snprintf(piece, sizeof piece, "%2d", date->tm_mday); break;
        case 'G': snprintf(piece, sizeof piece, "%d", iso_year); break;
        case 'g': snprintf(piece, sizeof piece, "%02d", iso_year % 100); break;
        case 'H': snprintf(piece, sizeof piece, "%02d", date->tm_hour); break;
        case 'k': snprintf(piece, sizeof piece, "%2d", date->tm_hour); break;
        case 'I': snprintf(piece, sizeof piece, "%02d", hour); break;
        case 'l': snprintf(piece, sizeof piece, "%2d", hour); break;
        case 'j': snprintf(piece, sizeof piece, "%03d", date->tm_yday + 1); break;
        case 'm': snprintf(piece, sizeof piece, "%02d", date->tm_mon + 1); break;
        case 'M': snprintf(piece, sizeof piece, "%02d", date->tm_min); break;
        case 'n': piece[0] = '\n'; break;
        case 't': piece[0] = '\t'; break;
        case 'p': snprintf(piece, sizeof piece, "%s", date->tm_hour < 12 ? "AM" : "PM"); break;
        case 's': snprintf(piece, sizeof piece, "%ld", (long)timegm(&copy)); break;
        case 'S': snprintf(piece, sizeof piece, "%02d", date->tm_sec); break;
        case 'u': snprintf(piece, sizeof piece, "%d", date->tm_wday ? date->tm_wday : 7); break;
        case 'w': snprintf(piece, sizeof piece, "%d", date->tm_wday); break;
        case 'U': snprintf(piece, sizeof piece, "%02d", (date->tm_yday + 7 - date->tm_wday) / 7); break;
        case 'W': snprintf(piece, sizeof piece, "%02d", (date->tm_yday + 7 - (date->tm_wday + 6) % 7) / 7); break;
        case 'V': snprintf(piece, sizeof piece, "%02d", week); break;
        case 'y': snprintf(piece, sizeof piece, "%02d", year % 100); break;
        case 'Y': snprintf(piece, sizeof piece, "%d", year); break;
        case 'z': snprintf(piece, sizeof piece, "+0000"); break;
        case 'Z': snprintf(piece, sizeof piece, "UTC"); break;
        case 'c': longer = "%a %b %e %H:%M:%S %Y"; break;
        case 'D':
        case 'x': longer = "%m/%d/%y"; break;
        case 'F': longer = "%Y-%m-%d"; break;
        case 'r': longer = "%I:%M:%S %p"; break;
        case 'R': longer = "%H:%M"; break;
        case 'T':
        case 'X': longer = "%H:%M:%S"; break;
        case 0: return 0;
        default: piece[0] = *format;
      }
      if (longer) strftime(piece, sizeof piece, longer, date);
    }
    size_t length = strlen(piece);
    if (used + length >= size) return 0;
    memcpy(text + used, piece, length);
    used += length;
  }
  if (size == 0) return 0;
  text[used] = 0;
  return used;
}
