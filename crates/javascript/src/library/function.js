// Function.prototype and bound functions.
%install(@FUNCTION_PROTOTYPE, {
  call(self, ...list) {
    if (!%isCallable(this)) %typeError("Function.prototype.call was called on a value that is not a function");
    return %apply(this, self, list);
  },
  apply(self, list) {
    if (!%isCallable(this)) %typeError("Function.prototype.apply was called on a value that is not a function");
    return %apply(this, self, list === undefined || list === null ? [] : %listFrom(list));
  },
  bind(self, ...list) {
    if (!%isCallable(this)) %typeError("Bind must be called on a function");
    const bound = %newBound(this, self, list, %getPrototypeOf(this));
    let length = 0;
    if (%hasOwn(this, "length")) {
      const given = this.length;
      if (typeof given === "number") {
        length = given === Infinity ? Infinity : given === -Infinity ? 0 : %toIntegerOrInfinity(given) - list.length;
        if (length < 0) length = 0;
      }
    }
    %constant(bound, "length", length, 4);
    const name = this.name;
    %constant(bound, "name", `bound ${typeof name === "string" ? name : ""}`, 4);
    return bound;
  },
  toString() {
    const text = %functionText(this);
    if (text === undefined) %typeError("Function.prototype.toString requires that 'this' be a Function");
    return text;
  },
});
%install(@FUNCTION_PROTOTYPE, { [@@hasInstance](x) { return %ordinaryHasInstance(this, x); } });
%constant(@FUNCTION_PROTOTYPE, @@hasInstance, @FUNCTION_PROTOTYPE[@@hasInstance], 0);
%accessor(@FUNCTION_PROTOTYPE, "caller", @THROW_TYPE_ERROR, @THROW_TYPE_ERROR);
%accessor(@FUNCTION_PROTOTYPE, "arguments", @THROW_TYPE_ERROR, @THROW_TYPE_ERROR);
%constant(@FUNCTION_PROTOTYPE, "length", 0, 4);
%constant(@FUNCTION_PROTOTYPE, "name", "", 4);
%define("dynamicFunction", function (kind, list, newTarget, fallback) {
  let parameters = "";
  for (let i = 0; i < list.length - 1; i++) parameters += i > 0 ? "," + %toString(list[i]) : %toString(list[i]);
  const body = list.length > 0 ? %toString(list[list.length - 1]) : "";
  const made = %makeFunction(kind, parameters, body);
  const proto = %prototypeFor(newTarget, fallback);
  if (proto !== fallback) %setPrototypeOf(made, proto);
  return made;
});
%constructor("Function", function Function(...list) {
  return %dynamicFunction(0, list, new.target === undefined ? @FUNCTION_PROTOTYPE.constructor : new.target, @FUNCTION_PROTOTYPE);
}, @FUNCTION_PROTOTYPE);
%constant(@FUNCTION_PROTOTYPE.constructor, "length", 1, 4);
%constructor("GeneratorFunction", function GeneratorFunction(...list) {
  return %dynamicFunction(1, list, new.target === undefined ? @GENERATOR_FUNCTION_PROTOTYPE.constructor : new.target, @GENERATOR_FUNCTION_PROTOTYPE);
}, @GENERATOR_FUNCTION_PROTOTYPE, @FUNCTION_PROTOTYPE.constructor, true);
%constructor("AsyncFunction", function AsyncFunction(...list) {
  return %dynamicFunction(2, list, new.target === undefined ? @ASYNC_FUNCTION_PROTOTYPE.constructor : new.target, @ASYNC_FUNCTION_PROTOTYPE);
}, @ASYNC_FUNCTION_PROTOTYPE, @FUNCTION_PROTOTYPE.constructor, true);
%constructor("AsyncGeneratorFunction", function AsyncGeneratorFunction(...list) {
  return %dynamicFunction(3, list, new.target === undefined ? @ASYNC_GENERATOR_FUNCTION_PROTOTYPE.constructor : new.target, @ASYNC_GENERATOR_FUNCTION_PROTOTYPE);
}, @ASYNC_GENERATOR_FUNCTION_PROTOTYPE, @FUNCTION_PROTOTYPE.constructor, true);
%define("finishFunctionClass", function (proto, inner, tag) {
  %constant(proto, "constructor", proto.constructor, 4);
  %constant(proto.constructor, "length", 1, 4);
  %constant(proto, @@toStringTag, tag, 4);
  if (inner !== undefined) {
    %constant(proto, "prototype", inner, 4);
    %constant(inner, "constructor", proto, 4);
  }
});

// --- Errors ---
%define("makeError", function (newTarget, fallback, message, options) {
  const proto = %prototypeFor(newTarget, fallback);
  const error = %newError(proto, message === undefined ? undefined : %toString(message));
  if (%isObject(options) && "cause" in options) %constant(error, "cause", options.cause, 5);
  return error;
});
%constructor("Error", function Error(message, options) {
  return %makeError(new.target === undefined ? @ERROR_PROTOTYPE.constructor : new.target, @ERROR_PROTOTYPE, message, options);
}, @ERROR_PROTOTYPE);
%install(@ERROR_PROTOTYPE.constructor, {
  captureStackTrace(object) {
    if (!%isObject(object)) %typeError("Invalid argument");
    const name = object.name === undefined ? "Error" : %toString(object.name);
    const message = object.message === undefined ? "" : %toString(object.message);
    const head = name === "" ? message : message === "" ? name : `${name}: ${message}`;
    %definePropertyOrThrow(object, "stack", { __proto__: null, value: head + %stackLines(), writable: true, enumerable: false, configurable: true });
  },
});
%constant(@ERROR_PROTOTYPE.constructor, "stackTraceLimit", 10, 7);
%constructor("TypeError", function TypeError(message, options) {
  return %makeError(new.target === undefined ? @TYPE_ERROR_PROTOTYPE.constructor : new.target, @TYPE_ERROR_PROTOTYPE, message, options);
}, @TYPE_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("RangeError", function RangeError(message, options) {
  return %makeError(new.target === undefined ? @RANGE_ERROR_PROTOTYPE.constructor : new.target, @RANGE_ERROR_PROTOTYPE, message, options);
}, @RANGE_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("SyntaxError", function SyntaxError(message, options) {
  return %makeError(new.target === undefined ? @SYNTAX_ERROR_PROTOTYPE.constructor : new.target, @SYNTAX_ERROR_PROTOTYPE, message, options);
}, @SYNTAX_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("ReferenceError", function ReferenceError(message, options) {
  return %makeError(new.target === undefined ? @REFERENCE_ERROR_PROTOTYPE.constructor : new.target, @REFERENCE_ERROR_PROTOTYPE, message, options);
}, @REFERENCE_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("EvalError", function EvalError(message, options) {
  return %makeError(new.target === undefined ? @EVAL_ERROR_PROTOTYPE.constructor : new.target, @EVAL_ERROR_PROTOTYPE, message, options);
}, @EVAL_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("URIError", function URIError(message, options) {
  return %makeError(new.target === undefined ? @URI_ERROR_PROTOTYPE.constructor : new.target, @URI_ERROR_PROTOTYPE, message, options);
}, @URI_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%constructor("AggregateError", function AggregateError(errors, message, options) {
  const error = %makeError(new.target === undefined ? @AGGREGATE_ERROR_PROTOTYPE.constructor : new.target, @AGGREGATE_ERROR_PROTOTYPE, message, options);
  %constant(error, "errors", [...errors], 5);
  return error;
}, @AGGREGATE_ERROR_PROTOTYPE, @ERROR_PROTOTYPE.constructor);
%nameErrors();
%finishFunctionClass(@GENERATOR_FUNCTION_PROTOTYPE, @GENERATOR_PROTOTYPE, "GeneratorFunction");
%finishFunctionClass(@ASYNC_FUNCTION_PROTOTYPE, undefined, "AsyncFunction");
%finishFunctionClass(@ASYNC_GENERATOR_FUNCTION_PROTOTYPE, @ASYNC_GENERATOR_PROTOTYPE, "AsyncGeneratorFunction");
