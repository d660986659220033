puts "one"
box = Sandbox.new
box.eval("puts 'two'; $stderr.puts 'err'; print 'thr'; puts 'ee'")
puts "four"
kept = Sandbox.new(output: :keep)
kept.eval("puts 'kept'")
same "kept\n", kept.output
