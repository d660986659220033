text = "the quick brown fox jumps over the lazy dog, 2026-11-22 and so on " * 100
text.scan(/(\w+)\s+(\d{4})?-?/).size + text.gsub(/[aeiou]/) { |v| v.upcase }.count("A") + (text =~ /zzz$/).to_i
