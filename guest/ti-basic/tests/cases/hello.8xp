ClrHome
Disp "Hello, world!"
