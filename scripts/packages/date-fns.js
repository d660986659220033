import * as d from 'date-fns';
const a = new Date(2024, 1, 29, 13, 4, 5, 678),
  b = new Date(2025, 11, 31);
console.log(
  d.format(a, "yyyy-MM-dd'T'HH:mm:ss.SSS EEEE do MMMM QQQ w ww a bbbb"),
  d.formatISO(a),
  d.formatDistance(a, b),
  d.formatDistanceStrict(a, b),
  d.formatRelative(a, d.addDays(a, 2)),
);
console.log(
  d.addMonths(a, 12),
  d.differenceInBusinessDays(b, a),
  d.differenceInCalendarMonths(b, a),
  d.eachWeekOfInterval({ start: a, end: d.addMonths(a, 1) }),
  d.intervalToDuration({ start: a, end: b }),
);
console.log(
  d.parse('12 Mar 2023 10:20 PM', 'd MMM yyyy h:mm a', new Date(0)),
  d.parseISO('2023-W05-3'),
  d.isValid(d.parse('x', 'yyyy', a)),
  d.getISOWeek(b),
  d.startOfWeek(a, { weekStartsOn: 1 }),
  d.setQuarter(a, 3),
);
