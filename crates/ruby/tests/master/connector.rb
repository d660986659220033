# The example of the proposal, as printed there; mongrel.rb and rails.rb lie beside it.
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

same ["hallo!"], Mongrel::SENT
