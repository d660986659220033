Menu("PICK","ONE",A,"TWO",B2
Lbl A
Disp "FIRST
Stop
Lbl B2
Disp "SECOND
