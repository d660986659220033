import moment from 'moment';
const m = moment.utc('2024-02-29T12:00:00Z');
console.log(
  m.format('dddd, MMMM Do YYYY, h:mm:ss a [x] DDDo wo'),
  m.clone().add(1, 'M').endOf('month').toISOString(),
  moment.duration(3723, 'seconds').humanize(),
  m.from(moment.utc('2020-01-01')),
  m.isoWeek(),
  moment.utc('12-25-1995', 'MM-DD-YYYY').toDate(),
  m.isBetween('2024-01-01', '2025-01-01'),
  m.toArray(),
  moment.utc('bad', 'YYYY', true).isValid(),
  m.calendar(moment.utc('2024-03-01')),
);
