import alasql from 'alasql';
alasql('CREATE TABLE c (city string, pop number)');
alasql.tables.c.data = [
  { city: 'Rome', pop: 2863223 },
  { city: 'Paris', pop: 2249975 },
  { city: 'Berlin', pop: 3517424 },
];
console.log(
  alasql('SELECT city, pop/1000 AS k FROM c WHERE pop < 3500000 ORDER BY pop DESC'),
  alasql('SELECT SUM(pop) AS s, COUNT(*) AS n FROM c')[0],
);
