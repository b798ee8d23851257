package javax.annotation;

/** As in javax.annotation-api, which the generated pom.xml names. */
public @interface Generated {
    String[] value();

    String comments() default "";

    String date() default "";
}
