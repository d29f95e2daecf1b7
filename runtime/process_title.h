/* process_title.h - what a process is listed as: its name and its words, as ps(1) shows them.
 *
 * The kernel shows the memory in which the program was handed its words: what is to be listed
 * otherwise without starting a program has to write there. */
#ifndef SHEAF_PROCESS_TITLE_H
#define SHEAF_PROCESS_TITLE_H

/* What main was called with: remembered, borrowed for good. Without it a title is a name alone. */
void process_title_keep(int argc, char **argv);
/* This process is listed as `title` from now on: its name and its words. Only for a process that
 * looks at no words of its command line any more. */
void process_title_set(const char *title);

#endif
