import Q from 'q';
Q.all([Q(1), Q.delay(5).thenResolve(2)])
  .then((x) => console.log('q', x))
  .done();
Q.fcall(() => {
  throw new Error('qe');
}).fail((e) => console.log(e.message));
