// Date. Local time is UTC unless the host offers a zone: %zone(time) is how far it is ahead of UTC at a time, in milliseconds.
%define("local", function (time) { return time !== time ? time : time + %zone(time); });
// The time at which clocks show this local time. Where they show it twice or never, the offset of before holds.
%define("utc", function (local) {
  if (local - local !== 0) return local;
  return local - %zone(local - %zone(local));
});
%constructor("Date", function Date(year, month, date, hours, minutes, seconds, ms) {
  if (new.target === undefined) return %localText(%now(), 1);
  const count = arguments.length;
  let time;
  if (count === 0) time = %now();
  else if (count === 1) {
    if (%isDate(year)) time = %dateValue(year);
    else {
      const given = %toPrimitive(year, "default");
      time = typeof given === "string" ? %dateRead(given) : %timeClip(+given);
    }
  } else time = %timeClip(%utc(%dateOf(arguments)));
  return %newDate(%prototypeFor(new.target, @DATE_PROTOTYPE), time);
}, @DATE_PROTOTYPE);
%define("dateOf", function (list) {
  const count = list.length;
  const year = +list[0];
  const month = count > 1 ? +list[1] : 0, date = count > 2 ? +list[2] : 1, hours = count > 3 ? +list[3] : 0;
  const minutes = count > 4 ? +list[4] : 0, seconds = count > 5 ? +list[5] : 0, ms = count > 6 ? +list[6] : 0;
  return %dateFrom(year, month, date, hours, minutes, seconds, ms);
});
%install(@DATE_PROTOTYPE.constructor, {
  now() { return %now(); },
  parse(text) { return %dateRead(%toString(text)); },
  UTC(year, month, date, hours, minutes, seconds, ms) { return %timeClip(%dateOf(arguments)); },
});
%define("localText", function (time, style) {
  const zone = time !== time ? 0 : %zone(time);
  return %dateText(time + zone, style, zone);
});
%define("dateRead", function (text) {
  const time = %dateParse(text);
  return %dateIsLocal(text) ? %timeClip(%utc(time)) : time;
});
%define("thisTime", function (x) {
  if (!%isDate(x)) %typeError("this is not a Date object.");
  return %dateValue(x);
});
%define("dateSet", function (object, first, most, list, utc) {
  const local = !utc;
  let time = %thisTime(object);
  const given = [];
  for (let i = 0; i < most && (i === 0 || i < list.length); i++) %push(given, +list[i]);
  if (time !== time) {
    if (first !== 0) return time;
    time = 0;
  } else if (local) time = %local(time);
  time = %dateWith(time, first, given);
  return %setDateValue(object, %timeClip(local ? %utc(time) : time));
});
%install(@DATE_PROTOTYPE, {
  getDate() { return %datePart(%local(%thisTime(this)), 2); },
  getDay() { return %datePart(%local(%thisTime(this)), 7); },
  getFullYear() { return %datePart(%local(%thisTime(this)), 0); },
  getHours() { return %datePart(%local(%thisTime(this)), 3); },
  getMilliseconds() { return %datePart(%local(%thisTime(this)), 6); },
  getMinutes() { return %datePart(%local(%thisTime(this)), 4); },
  getMonth() { return %datePart(%local(%thisTime(this)), 1); },
  getSeconds() { return %datePart(%local(%thisTime(this)), 5); },
  getTime() { return %thisTime(this); },
  getTimezoneOffset() { const time = %thisTime(this); return time !== time ? time : -%zone(time) / 60000 + 0; },
  getUTCDate() { return %datePart(%thisTime(this), 2); },
  getUTCDay() { return %datePart(%thisTime(this), 7); },
  getUTCFullYear() { return %datePart(%thisTime(this), 0); },
  getUTCHours() { return %datePart(%thisTime(this), 3); },
  getUTCMilliseconds() { return %datePart(%thisTime(this), 6); },
  getUTCMinutes() { return %datePart(%thisTime(this), 4); },
  getUTCMonth() { return %datePart(%thisTime(this), 1); },
  getUTCSeconds() { return %datePart(%thisTime(this), 5); },
  getYear() { return %datePart(%local(%thisTime(this)), 0) - 1900; },
  setDate(date) { return %dateSet(this, 2, 1, arguments); },
  setFullYear(year, month, date) { return %dateSet(this, 0, 3, arguments); },
  setHours(hours, minutes, seconds, ms) { return %dateSet(this, 3, 4, arguments); },
  setMilliseconds(ms) { return %dateSet(this, 6, 1, arguments); },
  setMinutes(minutes, seconds, ms) { return %dateSet(this, 4, 3, arguments); },
  setMonth(month, date) { return %dateSet(this, 1, 2, arguments); },
  setSeconds(seconds, ms) { return %dateSet(this, 5, 2, arguments); },
  setTime(time) { %thisTime(this); return %setDateValue(this, %timeClip(+time)); },
  setUTCDate(date) { return %dateSet(this, 2, 1, arguments, true); },
  setUTCFullYear(year, month, date) { return %dateSet(this, 0, 3, arguments, true); },
  setUTCHours(hours, minutes, seconds, ms) { return %dateSet(this, 3, 4, arguments, true); },
  setUTCMilliseconds(ms) { return %dateSet(this, 6, 1, arguments, true); },
  setUTCMinutes(minutes, seconds, ms) { return %dateSet(this, 4, 3, arguments, true); },
  setUTCMonth(month, date) { return %dateSet(this, 1, 2, arguments, true); },
  setUTCSeconds(seconds, ms) { return %dateSet(this, 5, 2, arguments, true); },
  setYear(year) {
    let time = %thisTime(this);
    year = +year;
    if (year !== year) return %setDateValue(this, year);
    time = time !== time ? 0 : %local(time);
    year = %toIntegerOrInfinity(year);
    return %setDateValue(this, %timeClip(%utc(%dateWith(time, 0, [year >= 0 && year <= 99 ? year + 1900 : year]))));
  },
  toDateString() { return %localText(%thisTime(this), 2); },
  toISOString() {
    const time = %thisTime(this);
    if (time !== time) %rangeError("Invalid time value");
    return %dateText(time, 0);
  },
  toJSON(key) {
    const object = %toObject(this);
    const time = %toPrimitive(object, "number");
    if (typeof time === "number" && time - time !== 0) return null;
    return object.toISOString();
  },
  toLocaleDateString() { return %localText(%thisTime(this), 6); },
  toLocaleString() { return %localText(%thisTime(this), 5); },
  toLocaleTimeString() { return %localText(%thisTime(this), 7); },
  toString() { return %localText(%thisTime(this), 1); },
  toTimeString() { return %localText(%thisTime(this), 3); },
  toUTCString() { return %dateText(%thisTime(this), 4); },
  valueOf() { return %thisTime(this); },
  [@@toPrimitive](hint) {
    if (!%isObject(this)) %typeError("Date.prototype[Symbol.toPrimitive] called on non-object");
    if (hint !== "string" && hint !== "default" && hint !== "number") %typeError("Invalid hint");
    return %ordinaryToPrimitive(this, hint !== "number");
  },
});
%constant(@DATE_PROTOTYPE, @@toPrimitive, @DATE_PROTOTYPE[@@toPrimitive], 4);
%alias(@DATE_PROTOTYPE, "toGMTString", @DATE_PROTOTYPE, "toUTCString");
