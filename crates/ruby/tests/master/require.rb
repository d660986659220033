box = Sandbox.safe
box.require "minilib"
same 3, box.eval("MiniLib.add(1, 2)")
same [1, 2], box.eval("MiniLib::Inner::LIST")
raises(LoadError) { box.require "there_is_no_such_file" }
raises(Sandbox::Exception, /NoMethodError|NameError/) { box.eval("require 'minilib'") }
full = Sandbox.new
full.require "erb"
same "2", full.eval("ERB.new('<%= 1 + 1 %>').result")
same "[1,{\"a\":null}]", full.eval("require 'json'; JSON.generate([1, { a: nil }])")
