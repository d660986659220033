box = Sandbox.new
error = raises(Sandbox::Exception, /\AArgumentError: no\z/) { box.eval("def f = raise(ArgumentError, 'no')\nf", file: "inner.rb") }
same "ArgumentError", error.class_name
same "no", error.original_message
truth error.backtrace.first.start_with?("inner.rb:1:in")
same [], error.backtrace.grep(/oubliette/)
raises(Sandbox::Exception, /SyntaxError/) { box.eval("1 +") }
raises(Sandbox::Exception, /NameError/) { box.eval("nothing_here") }
same 3, box.eval("3")
[Sandbox::TransferException, Sandbox::ScreenException, Sandbox::TimeoutException, Sandbox::MemoryException].each { |k| truth k < Sandbox::Exception }
same Sandbox::TimeoutException, Sandbox::TimeoutError

class Thrower
  def self.throw_up = raise(ArgumentError, "outside")
end
box.ref Thrower
same ["Sandbox::Exception", "ArgumentError", "outside"], box.eval("begin; Thrower.throw_up; rescue => e; [e.class.name, e.class_name, e.original_message]; end")
error = raises(Sandbox::Exception) { box.eval("Thrower.throw_up") }
same "ArgumentError", error.class_name
same 1, box.eval("begin; raise 'x'; rescue; 1; end")
