// Iterators of the library, generators, iteration of arrays.
%install(@ITERATOR_PROTOTYPE, { [@@iterator]() { return this; } });
%install(@ASYNC_ITERATOR_PROTOTYPE, { [@@asyncIterator]() { return this; } });
%install(@ARRAY_ITERATOR_PROTOTYPE, {
  next() {
    if (!%isIterator(this, "array")) %typeError("next method called on incompatible receiver");
    const array = %field(this, 0);
    if (array === undefined) return %iteratorResult(undefined, true);
    const index = %field(this, 1), kind = %field(this, 2);
    const length = %isTypedArray(array) ? %typed(array) : %lengthOf(array);
    if (index >= length) {
      %setField(this, 0, undefined);
      return %iteratorResult(undefined, true);
    }
    %setField(this, 1, index + 1);
    return %iteratorResult(kind === 0 ? array[index] : kind === 1 ? index : [index, array[index]], false);
  },
});
%constant(@ARRAY_ITERATOR_PROTOTYPE, @@toStringTag, "Array Iterator", 4);
%install(@GENERATOR_PROTOTYPE, {
  next(value) { return %resume(this, 0, value, 0); },
  return(value) { return %resume(this, 2, value, 0); },
  throw(value) { return %resume(this, 1, value, 0); },
});
%constant(@GENERATOR_PROTOTYPE, @@toStringTag, "Generator", 4);
%constant(@ASYNC_GENERATOR_PROTOTYPE, @@toStringTag, "AsyncGenerator", 4);
