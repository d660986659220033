Input A
Input "B:",B
Disp A+B
