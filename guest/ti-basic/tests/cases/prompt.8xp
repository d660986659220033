Prompt A,B
Disp A*B
