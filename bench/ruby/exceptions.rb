n = 0
5_000.times { begin; raise ArgumentError, "x"; rescue ArgumentError; n += 1; end }
n
