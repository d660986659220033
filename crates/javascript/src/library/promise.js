// Promises, async functions and async generators, the queue of jobs.
// A promise's fields: 0 state (0 pending, 1 fulfilled, 2 rejected), 1 result, 2 reactions, 3 handled.
%define("promiseReactions", function (promise, state, result) {
  const list = %field(promise, 2);
  %setField(promise, 0, state);
  %setField(promise, 1, result);
  %setField(promise, 2, undefined);
  if (list !== undefined) for (let i = 0; i < list.length; i++) %enqueue(%reactionFunction(), list[i], state, result);
});
%define("promiseFulfill", function (promise, value) { %promiseReactions(promise, 1, value); });
%define("promiseReject", function (promise, reason) {
  if (%field(promise, 3) === undefined) %rejected(promise);
  %promiseReactions(promise, 2, reason);
});
%define("promiseResolve", function (promise, value) {
  if (value === promise) {
    let error;
    try { %typeError("Chaining cycle detected for promise"); } catch (e) { error = e; }
    return %promiseReject(promise, error);
  }
  if (!%isObject(value)) return %promiseFulfill(promise, value);
  let then;
  try { then = value.then; } catch (e) { return %promiseReject(promise, e); }
  if (!%isCallable(then)) return %promiseFulfill(promise, value);
  %enqueue(%thenableJob(), promise, value, then);
});
%define("thenableJob", function () {
  return (promise, thenable, then) => {
    const f = %resolvers(promise);
    try { %call(then, thenable, f[0], f[1]); } catch (e) { f[1](e); }
  };
});
%define("reactionFunction", function () {
  return (reaction, state, result) => {
    const handler = reaction[state];
    const capability = reaction[0];
    if (handler === undefined) {
      if (capability === undefined) return;
      if (state === 1) capability[1](result); else capability[2](result);
      return;
    }
    let value;
    try { value = handler(result); } catch (e) {
      if (capability !== undefined) capability[2](e);
      return;
    }
    if (capability !== undefined) capability[1](value);
  };
});
// [resolve, reject] of a promise.
%define("resolvers", function (promise) {
  let done = false;
  return [
    (value) => { if (done) return; done = true; %promiseResolve(promise, value); },
    (reason) => { if (done) return; done = true; %promiseReject(promise, reason); },
  ];
});
// [promise, resolve, reject] of a constructor.
%define("capability", function (C) {
  if (!%isConstructor(C)) %typeError("Promise resolve or reject function is not callable: not a constructor");
  if (C === @PROMISE_PROTOTYPE.constructor) {
    const promise = %newPromise(@PROMISE_PROTOTYPE);
    const f = %resolvers(promise);
    return [promise, f[0], f[1]];
  }
  let resolve, reject;
  const promise = new C((a, b) => {
    if (resolve !== undefined || reject !== undefined) %typeError("Promise executor has already been invoked with non-undefined arguments");
    resolve = a;
    reject = b;
  });
  if (!%isCallable(resolve) || !%isCallable(reject)) %typeError("Promise resolve or reject function is not callable");
  return [promise, resolve, reject];
});
%define("performThen", function (promise, onFulfilled, onRejected, capability) {
  const reaction = [capability, %isCallable(onFulfilled) ? onFulfilled : undefined, %isCallable(onRejected) ? onRejected : undefined];
  const state = %field(promise, 0);
  if (state === 0) {
    let list = %field(promise, 2);
    if (list === undefined) { list = []; %setField(promise, 2, list); }
    %push(list, reaction);
  } else %enqueue(%reactionFunction(), reaction, state, %field(promise, 1));
  %setField(promise, 3, true);
});
%define("resolveWith", function (C, value) {
  if (%isPromise(value) && value.constructor === C) return value;
  const capability = %capability(C);
  capability[1](value);
  return capability[0];
});
%constructor("Promise", function Promise(executor) {
  if (new.target === undefined) %typeError("Promise constructor cannot be invoked without 'new'");
  if (!%isCallable(executor)) %typeError(`Promise resolver ${%show(executor)} is not a function`);
  const promise = %newPromise(%prototypeFor(new.target, @PROMISE_PROTOTYPE));
  const f = %resolvers(promise);
  try { executor(f[0], f[1]); } catch (e) { f[1](e); }
  return promise;
}, @PROMISE_PROTOTYPE);
%install(@PROMISE_PROTOTYPE, {
  then(onFulfilled, onRejected) {
    if (!%isPromise(this)) %typeError(`Method Promise.prototype.then called on incompatible receiver ${%brief(this)}`);
    const C = %speciesConstructor(this, @PROMISE_PROTOTYPE.constructor);
    const capability = %capability(C);
    %performThen(this, onFulfilled, onRejected, capability);
    return capability[0];
  },
  catch(onRejected) { return this.then(undefined, onRejected); },
  finally(f) {
    if (!%isObject(this)) %typeError("Promise.prototype.finally called on non-object");
    const C = %speciesConstructor(this, @PROMISE_PROTOTYPE.constructor);
    if (!%isCallable(f)) return this.then(f, f);
    return this.then(
      (value) => %resolveWith(C, f()).then(() => value),
      (reason) => %resolveWith(C, f()).then(() => { throw reason; }),
    );
  },
});
%constant(@PROMISE_PROTOTYPE, @@toStringTag, "Promise", 4);
%define("speciesConstructor", function (object, fallback) {
  const C = object.constructor;
  if (C === undefined) return fallback;
  if (!%isObject(C)) %typeError("object.constructor is not an object");
  const S = C[@@species];
  if (S === undefined || S === null) return fallback;
  if (!%isConstructor(S)) %typeError("object.constructor[Symbol.species] is not a constructor");
  return S;
});
%define("combine", function (C, iterable, kind) {
  const capability = %capability(C);
  try {
    const resolve = C.resolve;
    if (!%isCallable(resolve)) %typeError("Promise resolve is not a function");
    const values = [];
    let remaining = 1, index = 0;
    const finish = () => {
      if (kind === 2) {
        const error = %newError(@AGGREGATE_ERROR_PROTOTYPE, "All promises were rejected");
        %constant(error, "errors", values, 5);
        capability[2](error);
      } else capability[1](values);
    };
    for (const item of iterable) {
      const at = index++;
      if (kind !== 3) { %push(values, undefined); remaining++; }
      const next = %call(resolve, C, item);
      if (kind === 3) { next.then(capability[1], capability[2]); continue; }
      let called = false;
      const settle = (make) => (x) => {
        if (called) return;
        called = true;
        values[at] = make(x);
        if (--remaining === 0) finish();
      };
      if (kind === 0) next.then(settle((x) => x), capability[2]);
      else if (kind === 1) next.then(settle((value) => ({ status: "fulfilled", value })), settle((reason) => ({ status: "rejected", reason })));
      else next.then(capability[1], settle((x) => x));
    }
    if (kind !== 3 && --remaining === 0) finish();
  } catch (e) {
    capability[2](e);
  }
  return capability[0];
});
%install(@PROMISE_PROTOTYPE.constructor, {
  all(iterable) { return %combine(this, iterable, 0); },
  allSettled(iterable) { return %combine(this, iterable, 1); },
  any(iterable) { return %combine(this, iterable, 2); },
  race(iterable) { return %combine(this, iterable, 3); },
  reject(reason) { const c = %capability(this); c[2](reason); return c[0]; },
  resolve(value) {
    if (!%isObject(this)) %typeError("PromiseResolve called on non-object");
    return %resolveWith(this, value);
  },
  withResolvers() { const c = %capability(this); return { promise: c[0], resolve: c[1], reject: c[2] }; },
  get [@@species]() { return this; },
});
%install(@GLOBAL, {
  queueMicrotask(f) {
    if (!%isCallable(f)) %typeError("queueMicrotask needs a function");
    %enqueue(f);
  },
});

// --- Async functions: a generator of kind 1; its data is its promise ---
%define("await", function (value, onFulfilled, onRejected) {
  const promise = %resolveWith(@PROMISE_PROTOTYPE.constructor, value);
  %performThen(promise, onFulfilled, onRejected, undefined);
});
%define("asyncAwait", function (g, value) {
  try {
    %await(value, (v) => %resume(g, 0, v, 1), (e) => %resume(g, 1, e, 1));
  } catch (e) {
    // `constructor` of a promise threw: the error arrives as a rejection.
    %enqueue((x) => %resume(g, 1, x, 1), e);
  }
  return %generatorData(g);
});
%define("asyncReturn", function (g, value) {
  const promise = %generatorData(g);
  %promiseResolve(promise, value);
  return promise;
});
%define("asyncThrow", function (g, error) {
  const promise = %generatorData(g);
  %promiseReject(promise, error);
  return promise;
});

// --- Async generators: a generator of kind 2; its data is a queue of [mode, value, capability], null while idle ---
%define("asyncGeneratorEnqueue", function (g, mode, value) {
  const capability = %capability(@PROMISE_PROTOTYPE.constructor);
  if (%generatorState(g) < 0 || !%isAsyncGenerator(g)) {
    let error;
    try { %typeError("not an async generator"); } catch (e) { error = e; }
    capability[2](error);
    return capability[0];
  }
  let queue = %generatorData(g);
  if (queue === undefined) { queue = []; %setGeneratorData(g, queue); }
  %push(queue, [mode, value, capability]);
  if (queue.length === 1) %asyncGeneratorGo(g);
  return capability[0];
});
// Works on the first request of the queue.
%define("asyncGeneratorGo", function (g) {
  const queue = %generatorData(g);
  if (queue.length === 0) return;
  const mode = queue[0][0], value = queue[0][1], state = %generatorState(g);
  if (state === 0 && mode !== 0) %finishGenerator(g);
  if (state === 3 || (state === 0 && mode !== 0)) {
    if (mode === 0) return %asyncGeneratorSettle(g, undefined, true, false);
    if (mode === 1) return %asyncGeneratorSettle(g, value, true, true);
    try {
      %await(value, (v) => { %asyncGeneratorSettle(g, v, true, false); }, (e) => { %asyncGeneratorSettle(g, e, true, true); });
    } catch (e) {
      %asyncGeneratorSettle(g, e, true, true);
    }
    return;
  }
  %resume(g, mode, value, 2);
});
%define("asyncGeneratorSettle", function (g, value, done, failed) {
  const queue = %generatorData(g);
  const request = %shift(queue);
  if (failed) request[2][2](value);
  else request[2][1](%iteratorResult(value, done));
  if (queue.length > 0) %asyncGeneratorGo(g);
});
%define("shift", function (list) {
  const first = list[0];
  for (let i = 1; i < list.length; i++) list[i - 1] = list[i];
  list.length = list.length - 1;
  return first;
});
%define("asyncGeneratorYield", function (g, value) { %asyncGeneratorSettle(g, value, false, false); });
%define("asyncGeneratorReturn", function (g, value) { %asyncGeneratorSettle(g, value, true, false); });
%define("asyncGeneratorThrow", function (g, error) { %asyncGeneratorSettle(g, error, true, true); });
%define("asyncGeneratorAwait", function (g, value) {
  try {
    %await(value, (v) => %resume(g, 0, v, 2), (e) => %resume(g, 1, e, 2));
  } catch (e) {
    %enqueue((x) => %resume(g, 1, x, 2), e);
  }
});
%install(@ASYNC_GENERATOR_PROTOTYPE, {
  next(value) { return %asyncGeneratorEnqueue(this, 0, value); },
  return(value) { return %asyncGeneratorEnqueue(this, 2, value); },
  throw(value) { return %asyncGeneratorEnqueue(this, 1, value); },
});

// --- for await ---
%define("getAsyncIterator", function (source) {
  const method = source[@@asyncIterator];
  if (method === undefined || method === null) {
    const pair = %getIterator(source);
    const wrapped = %newIterator(@ASYNC_FROM_SYNC_ITERATOR_PROTOTYPE, pair[0], pair[1], 0, "fromSync");
    return [wrapped, wrapped.next];
  }
  if (!%isCallable(method)) %typeError("Symbol.asyncIterator is not a function");
  const iterator = %call(method, source);
  if (!%isObject(iterator)) %typeError("Result of the Symbol.asyncIterator method is not an object");
  return [iterator, iterator.next];
});
%define("continueFromSync", function (result, capability, iterator, close) {
  try {
    if (!%isObject(result)) %typeError(`Iterator result ${%show(result)} is not an object`);
    const done = !!result.done, value = result.value;
    let promise;
    try { promise = %resolveWith(@PROMISE_PROTOTYPE.constructor, value); } catch (e) {
      if (!done && close) %iteratorCloseQuietly(iterator);
      throw e;
    }
    %performThen(promise, (v) => { capability[1](%iteratorResult(v, done)); }, (e) => {
      if (!done && close) %iteratorCloseQuietly(iterator);
      capability[2](e);
    }, undefined);
  } catch (e) {
    capability[2](e);
  }
  return capability[0];
});
%install(@ASYNC_FROM_SYNC_ITERATOR_PROTOTYPE, {
  next(value) {
    const capability = %capability(@PROMISE_PROTOTYPE.constructor);
    const iterator = %field(this, 0);
    let result;
    try {
      result = arguments.length > 0 ? %call(%field(this, 1), iterator, value) : %call(%field(this, 1), iterator);
    } catch (e) { capability[2](e); return capability[0]; }
    return %continueFromSync(result, capability, iterator, true);
  },
  return(value) {
    const capability = %capability(@PROMISE_PROTOTYPE.constructor);
    const iterator = %field(this, 0);
    let result;
    try {
      const method = iterator.return;
      if (method === undefined || method === null) { capability[1](%iteratorResult(value, true)); return capability[0]; }
      result = arguments.length > 0 ? %call(method, iterator, value) : %call(method, iterator);
    } catch (e) { capability[2](e); return capability[0]; }
    return %continueFromSync(result, capability, iterator, false);
  },
  throw(value) {
    const capability = %capability(@PROMISE_PROTOTYPE.constructor);
    const iterator = %field(this, 0);
    let result;
    try {
      const method = iterator.throw;
      if (method === undefined || method === null) {
        %iteratorClose(iterator);
        %typeError("The iterator does not provide a 'throw' method");
      }
      result = arguments.length > 0 ? %call(method, iterator, value) : %call(method, iterator);
    } catch (e) { capability[2](e); return capability[0]; }
    return %continueFromSync(result, capability, iterator, true);
  },
});
// Runs the jobs that were queued before it; what they queue comes after.
%define("runJob", function (jobs) {
  for (let i = 0; i < jobs.length; i++) {
    const job = jobs[i];
    %turn();
    %call(job[0], undefined, job[1], job[2], job[3]);
  }
});
