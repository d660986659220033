// Promises and async functions.
%define("getAsyncIterator", function (source) { return %getIterator(source); });
%define("asyncAwait", function (g, v) { return undefined; });
%define("asyncReturn", function (g, v) { return undefined; });
%define("asyncThrow", function (g, v) { return undefined; });
%define("asyncGeneratorYield", function (g, v) { return undefined; });
%define("asyncGeneratorAwait", function (g, v) { return undefined; });
%define("asyncGeneratorReturn", function (g, v) { return undefined; });
%define("asyncGeneratorThrow", function (g, v) { return undefined; });
%define("importCall", function (s, o) { %typeError("modules are not offered"); });
%define("runJob", function (jobs) { for (let i = 0; i < jobs.length; i++) { const job = jobs[i]; %call(job[0], undefined, job[1], job[2], job[3]); } });
