s = +""
20_000.times { |i| s << "item #{i}, " }
s.split(", ").map(&:upcase).join("-").tr("M", "m").size
