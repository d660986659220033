h = {}
30_000.times { |i| h["key#{i % 5000}"] = (h["key#{i % 5000}"] || 0) + i }
h.sum { |_, v| v }
