module Mongrel
  SENT = []
  def self.send_out(text) = SENT << text
end
