import dayjs from 'dayjs';
import utc from 'dayjs/plugin/utc';
import duration from 'dayjs/plugin/duration';
import relative from 'dayjs/plugin/relativeTime';
import iso from 'dayjs/plugin/isoWeek';
import custom from 'dayjs/plugin/customParseFormat';
import advanced from 'dayjs/plugin/advancedFormat';
import 'dayjs/locale/de';
[utc, duration, relative, iso, custom, advanced].forEach((p) => dayjs.extend(p));
const a = dayjs('2024-02-29T12:34:56.789Z').utc();
console.log(
  a.format('dddd, MMMM D YYYY h:mm:ss A Z Qo X x'),
  a.add(1, 'year').toISOString(),
  a.locale('de').format('dddd D. MMMM'),
  a.from(dayjs('2020-01-01')),
  a.isoWeek(),
  dayjs.duration(123456789).humanize(),
  dayjs.duration({ hours: 5, minutes: 3 }).toISOString(),
  dayjs('03-2020-15', 'MM-YYYY-DD').format(),
  a.diff('2000-01-01', 'month', true),
);
console.log(dayjs(null).isValid());
