5→A
IS>(A,6
Disp "NOT SKIPPED
IS>(A,6
Disp "SKIPPED
Disp A
Degree
Disp sin(30),round(cos(60),5
1 or 0
Disp Ans,1 xor 1,3≥2 and 2≠2
