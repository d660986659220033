a = (1..20_000).to_a
a.map { |x| x * 2 }.select(&:even?).each_slice(7).map { |s| s.sum }.sort_by { |x| -x }.each_with_index.sum { |x, i| x * i }
