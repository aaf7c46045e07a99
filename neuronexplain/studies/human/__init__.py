"""The paper's human studies: do people see which class an explanation is for, and which network is better?

Class discrimination (Sec. 5.1) and trust (Sec. 5.2). A study is made once, as a folder of pictures and questions
(`making`); questions are dealt to raters (`dealing`), whose ratings are kept in a database (`ratings`) and become a
table like the paper's Table 2 (`results`). Nothing here knows the web: :mod:`neuronexplain.web` asks the questions.
"""
