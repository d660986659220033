CONSTANTS = {
  io: %w[IOError EOFError IO FileTest File Dir File::Constants File::Stat], env: %w[STDIN STDOUT STDERR],
  real: %w[ThreadError Thread ThreadGroup Process GC ObjectSpace]
}
METHODS = {
  load: %w[load require autoload autoload?], io: %w[test],
  env: %w[syscall open printf print putc puts gets readline select readlines p display],
  real: %w[abort at_exit caller exit trace_var untrace_var set_trace_func warn trap exec fork exit! system ` sleep]
}
shown = ->(box, group) do
  [*CONSTANTS[group]].to_h { |name| [name, box.eval("Object.const_defined?(#{name.inspect})")] }
    .merge([*METHODS[group]].to_h { |name| [name, box.eval("respond_to?(#{name.inspect}, true)")] })
end
full, safe = Sandbox.new, Sandbox.safe
here = %i[load io env real].to_h { |group| [group, shown.(full, group)] }
%i[load io env real].each do |group|
  truth here[group].values.count(true) > 0
  same [false], shown.(safe, group).values.uniq
  one = Sandbox.safe(init: [group])
  %i[load io env real].each do |other|
    same(other == group ? here[other] : here[other].transform_values { false }, shown.(one, other))
  end
end
same here[:io], shown.(Sandbox.safe(init: :all), :io)
%w[hash __id__ object_id].each { |name| truth safe.eval("respond_to?(#{name.inspect})") }
same :fork, safe.eval("begin; Kernel.fork; rescue NameError; :fork; end")
same :fork, safe.eval("begin; fork; rescue NameError; :fork; end")
same :NameError, safe.eval("begin; File.open('/etc/passwd'); rescue NameError; :NameError; end")
raises(Sandbox::Exception) { full.eval("fork") }
raises(Sandbox::Exception) { full.eval("`ls`") }
raises(Sandbox::Exception) { full.eval("Thread.new { 1 }.value") }
raises(Sandbox::Exception) { full.eval("File.read('/etc/passwd')") }
raises(Sandbox::Exception) { safe.eval("Sandbox.new") }
raises(Sandbox::Exception) { Sandbox.safe(init: :nonsense) }
same "(sandbox)", safe.eval("$0")
nested = Sandbox.new(boxes: true)
same 4, nested.eval("Sandbox.safe.eval('2 + 2')")
