def start
  MongrelConnector.each do |cgi|
    cgi << "hallo!"
  end
end
