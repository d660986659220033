import { LocalDate, LocalDateTime, Period, ChronoUnit, DateTimeFormatter, ZonedDateTime, ZoneOffset } from '@js-joda/core';
import ms from 'ms';
import { RRule } from 'rrule';
const d = LocalDate.parse('2024-02-29');
console.log(
  d.plusYears(1).toString(),
  d.until(LocalDate.of(2025, 3, 1), ChronoUnit.DAYS),
  Period.between(d, LocalDate.of(2025, 3, 1)).toString(),
  LocalDateTime.of(2020, 1, 2, 3, 4).format(DateTimeFormatter.ofPattern('dd/MM/yyyy HH:mm')),
  ZonedDateTime.of(LocalDateTime.of(2020, 1, 1, 0, 0), ZoneOffset.ofHours(2))
    .toInstant()
    .toString(),
);
console.log(ms('2 days'), ms(60000, { long: true }));
console.log(
  new RRule({ freq: RRule.WEEKLY, count: 4, byweekday: [RRule.MO, RRule.FR], dtstart: new Date(Date.UTC(2024, 0, 1)) }).all().map(String),
);
