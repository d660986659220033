require 'mongrel'

class MongrelConnector
  def self.each
    str = yield ""
    # send str to mongrel
    Mongrel.send_out(str)
  end
end

box = Sandbox.safe
box.load 'rails.rb'
box.ref MongrelConnector
box.eval 'start'

# What the web application is not meant to do ends in the box.
begin
  box.eval "loop { begin; loop {}; rescue Exception; end }", timeout: 0.2
rescue Sandbox::TimeoutError => error
  puts error.message
end
boxes = Array.new(100) { |i| Sandbox.safe.tap { |one| one.eval("STATE = #{i}") } }
puts "#{boxes.size} boxes know #{boxes.sum { |one| one.eval("STATE") }}"
